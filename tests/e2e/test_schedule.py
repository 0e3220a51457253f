"""Schedules: publish first, then delete; known by their watch and not by their name; and those that adapt."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime

import pytest

from local.stack import Stack
from local.wait import wait_until
from tests.e2e.scene import JOB_ID, LONG_LIFE, REPORT_KEYS, ago


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


def test_an_end_that_cannot_be_told_keeps_its_schedule_and_is_told_once(scene):
    scene.finished_job()
    schedule = scene.create_schedule()
    with scene.stack.fail_aws("sns", "Publish", code="InternalError"):
        assert scene.check(schedule_arn=schedule).error_type == "NotificationFailed"
    for action in ("DeleteSchedule", "GetSchedule"):
        with scene.stack.fail_aws("scheduler", action, status=403, code="AccessDeniedException"):
            result = scene.check(schedule_arn=schedule)
        assert result.error_type == "ScheduleNotDeleted"
        assert action in result.error_message
    assert scene.schedule(schedule)
    assert scene.report(schedule_arn=schedule)["schedule_deleted"] is True
    assert len(scene.received()) == 1, "the same process does not tell one end twice"


@pytest.mark.parametrize(
    "other", [{"job_id": "7"}, {"module": "Deals"}, {"first_checked_at": "2026-01-01T00:00:00Z"}], ids=str
)
def test_a_schedule_of_another_watch_is_kept(scene, other):
    scene.finished_job()
    schedule = scene.create_schedule(**other)
    report = scene.report(schedule_arn=schedule, first_checked_at=ago(minutes=1))
    assert report["schedule_deleted"] is False
    assert scene.schedule(schedule)
    assert "names another watch" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)


def test_the_limit_is_told_and_counts_from_the_creation(make_scene):
    scene = make_scene(env={"WATCH_LIMIT_SECONDS": "2"})
    scene.zoho.respond(status=503, times=100)
    schedule = scene.create_schedule(status="RUNNING", first_checked_at=ago(hours=2))
    request = {"schedule_arn": schedule, "status": "RUNNING", "first_checked_at": ago(hours=2)}
    assert scene.report(**request)["outcome"] is None
    time.sleep(2)
    assert scene.report(**request)["outcome"] == "WATCH_TIMED_OUT"
    (message,) = scene.published()
    assert message.subject.startswith("No end seen: Zoho CRM Leads owner change, job ...5021")
    assert "could not be checked" in message.texts["email"]
    assert scene.schedule(schedule) is None


@pytest.mark.parametrize(
    "env", [{"ZOHO_SECRET_ID": None}, {"REQUEST_TIMEOUT_SECONDS": "ten"}], ids=["nothing set", "malformed"]
)
def test_an_invalid_configuration_cannot_tell_an_end(make_scene, env):
    scene = make_scene(env=env)
    began = ago(seconds=5)
    schedule = scene.create_schedule(first_checked_at=began)
    assert scene.check(schedule_arn=schedule, first_checked_at=began).error_type == "InvalidConfiguration"
    assert scene.published() == []
    assert scene.schedule(schedule)
    report = scene.report(announcement=True, status="RUNNING", first_checked_at=ago(hours=1), checked_at=ago(hours=1))
    assert (report["outcome"], report["error"]["type"]) == (None, "InvalidConfiguration")
    assert 3600 <= report["next_check_seconds"] <= 4320, "an hour"


# ---- schedules that adapt ------------------------------------------------------------------------------------------


def test_an_update_replaces_the_documented_fields_and_keeps_the_others(scene):
    scene.running_job()
    request = {"adapt": True, "label": "for Ada", "first_checked_at": ago(seconds=5)}
    schedule = scene.create_schedule(**request)
    before, asked = scene.schedule(schedule), len(order(scene))
    report = scene.report(schedule_arn=schedule, **request)
    assert order(scene)[asked:] == ["GetSchedule", "UpdateSchedule"]
    after = scene.schedule(schedule)
    wait = (after["StartDate"] - datetime.now(UTC)).total_seconds()
    assert 50 < wait <= 60, "the wait, but at least a minute"
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


@pytest.mark.parametrize("action", ["GetSchedule", "UpdateSchedule"])
def test_no_update_costs_a_line_of_the_log_and_nothing_else(scene, action):
    scene.running_job()
    request = {"adapt": True, "first_checked_at": ago(seconds=5)}
    schedule = scene.create_schedule(**request)
    with scene.stack.fail_aws("scheduler", action, status=403, code="AccessDeniedException"):
        assert set(scene.report(schedule_arn=schedule, **request)) == REPORT_KEYS
    line = json.loads(scene.fn.wait_for_line(lambda line: "the schedule was not updated" in line))
    assert (line["level"], action in line["reason"]) == ("WARN", True)
    asked = len(order(scene))
    scene.zoho.respond(status=503, times=3)
    assert scene.report(schedule_arn=schedule, **request)["error"]["type"] == "ZohoUnavailable"
    assert order(scene)[asked:] == [], "a check that failed leaves the schedule as it is"
    assert "checks" not in scene.schedule(schedule)["Target"]["Input"]


def test_a_schedule_follows_its_job_to_the_end():
    """A job of 50 minutes, with an outage of five, from the creation of its schedule to its deletion."""
    with Stack(schedules=True, speed=120) as stack:
        zoho, scheduler, topic = stack.zoho.control, stack.client("scheduler"), stack.topic()
        job_id = zoho.start_job(run_seconds=3_000, failed=5)
        env = {
            "ZOHO_SECRET_ID": stack.secret({"access_token": zoho.issue_token(life_seconds=LONG_LIFE)}),
            "STATUS_TOPIC_ARN": topic.arn,
            "ZOHO_API_DOMAIN": stack.zoho.url,
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
        }
        with stack.function("check", env=env) as function:
            now = datetime.fromtimestamp(stack.clock.now(), UTC)
            request = {"module": "Leads", "job_id": job_id, "schedule_arn": "<aws.scheduler.schedule-arn>"}
            request |= {"first_checked_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "adapt": True}
            scheduler.create_schedule(
                Name="watch",
                ScheduleExpression="rate(1 minute)",
                StartDate=now,
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": function.arn, "RoleArn": "arn:aws:iam::1:role/r", "Input": json.dumps(request)},
            )
            wait_until(lambda: len(stack.firings) >= 4, "the fourth firing")
            zoho.respond(status=503, times=1_000_000)
            time.sleep(5 * 60 / 120)
            zoho.clear_faults()
            wait_until(lambda: not scheduler.list_schedules()["Schedules"], "the deletion of the schedule")
        checks = [line for line in function.logs if line.get("job_id") == job_id and "status" in line]
        assert {"rate", "failed check"} <= {line.get("next_check_reason") for line in checks}
        gaps = [later.at - sooner.at for sooner, later in itertools.pairwise(stack.firings)]
        assert max(gaps) > 200, "waits grow"
        assert len(stack.firings) < 30
        (message,) = stack.published(topic.arn)
        assert message.values["outcome"] == "PARTIALLY_SUCCEEDED"
