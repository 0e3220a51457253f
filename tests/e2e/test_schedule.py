"""Schedules: publish first, then delete; known by their watch and not by their name; and those that adapt.

src/handler/tests.rs has every order of these requests, and test_demo.py a schedule that follows its job to the end.
"""

from __future__ import annotations

import json
import time

from tests.e2e.scene import JOB_ID, REPORT_KEYS, ago


def order(scene) -> list[str]:
    """The requests at the end of a watch, in their order."""
    actions = ("Publish", "GetSchedule", "UpdateSchedule", "DeleteSchedule")
    return [call.action for call in scene.stack.calls() if call.action in actions]


def test_the_end_is_published_and_then_the_schedule_is_deleted(scene):
    scene.running_job()
    began = ago(seconds=5)
    schedule = scene.create_schedule(first_checked_at=began)
    before = len(order(scene))
    assert set(scene.report(schedule_arn=schedule, first_checked_at=began)) == REPORT_KEYS
    assert order(scene)[before:] == [], "a schedule with constant input is left alone while the job runs"
    scene.zoho.advance(200_000)
    report = scene.report(schedule_arn=schedule, first_checked_at=began)
    assert report["schedule_deleted"] is True
    assert report["notification"]["message_id"] == scene.received()[0]["MessageId"]
    assert order(scene)[before:] == ["Publish", "GetSchedule", "DeleteSchedule"]
    assert scene.report(schedule_arn=schedule)["schedule_deleted"] is True, "one that is gone counts as deleted"


def test_a_schedule_of_another_watch_is_kept(scene):
    scene.finished_job()
    schedule = scene.create_schedule(job_id="7")
    assert scene.report(schedule_arn=schedule)["schedule_deleted"] is False
    assert scene.schedule(schedule)
    assert "names another watch" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)


def test_the_limit_is_told_and_counts_from_the_creation(make_scene):
    late, scene = make_scene(env={"WATCH_LIMIT_SECONDS": "3600"}), make_scene(env={"WATCH_LIMIT_SECONDS": "1"})
    scene.zoho.respond(status=503, times=100)
    schedule = scene.create_schedule(status="RUNNING", first_checked_at=ago(hours=2))
    request = {"schedule_arn": schedule, "status": "RUNNING", "first_checked_at": ago(hours=2)}
    assert late.report(**request)["outcome"] is None
    time.sleep(1)
    assert scene.report(**request)["outcome"] == "WATCH_TIMED_OUT"
    (message,) = scene.published()
    assert message.subject.startswith("No end seen: Zoho CRM Leads owner change, job ...5021")
    assert "could not be checked" in message.texts["email"]
    assert scene.schedule(schedule) is None


# ---- schedules that adapt ------------------------------------------------------------------------------------------


def test_an_update_replaces_the_documented_fields_and_keeps_the_others(scene):
    scene.running_job()
    request = {"adapt": True, "label": "for Ada", "first_checked_at": ago(seconds=5)}
    schedule = scene.create_schedule(**request)
    before, asked, sooner = scene.schedule(schedule), len(order(scene)), time.time()
    report = scene.report(schedule_arn=schedule, **request)
    assert order(scene)[asked:] == ["GetSchedule", "UpdateSchedule"]
    after = scene.schedule(schedule)
    start = after["StartDate"].timestamp()
    assert sooner - 1 <= start - 60 <= time.time() + 1, "the wait, but at least a minute"
    assert after["ScheduleExpression"] == "rate(5 minutes)"
    counts = ("total_count", "updated_count", "not_updated_count", "failed_count")
    known = {key: report[key] for key in (*counts, "status", "checks", "checked_at")}
    own = {"module": "Leads", "job_id": JOB_ID, "schedule_arn": "<aws.scheduler.schedule-arn>"}
    assert json.loads(after["Target"].pop("Input")) == {**own, **request, **known}
    before["Target"].pop("Input")
    for part in (before, after):
        for changed in ("StartDate", "ScheduleExpression", "LastModificationDate", "ResponseMetadata"):
            part.pop(changed, None)
    assert after == before


def test_an_update_that_is_denied_costs_a_line_of_the_log_and_nothing_else(scene):
    scene.running_job()
    request = {"adapt": True, "first_checked_at": ago(seconds=5)}
    schedule = scene.create_schedule(**request)
    with scene.stack.fail_aws("scheduler", "UpdateSchedule", status=403, code="AccessDeniedException"):
        assert set(scene.report(schedule_arn=schedule, **request)) == REPORT_KEYS
    line = json.loads(scene.fn.wait_for_line(lambda line: "the schedule was not updated" in line))
    assert (line["level"], "UpdateSchedule" in line["reason"]) == ("WARN", True)
