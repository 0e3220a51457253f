"""The report, and the one rule. src/watch has the complete tables: job.rs, report/tests.rs, rule.rs."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.scene import JOB_ID, REPORT_KEYS, ago, status


def test_the_report_of_the_documented_sample(scene):
    scene.zoho.respond(body=status())
    before = ago(seconds=0)
    report = scene.report()
    checked_at = report.pop("checked_at")
    assert before <= checked_at <= ago(seconds=0)
    assert report == {
        "module": "Leads",
        "job_id": JOB_ID,
        "status": "COMPLETED",
        "finished": True,
        "outcome": "PARTIALLY_SUCCEEDED",
        "total_count": 50000,
        "updated_count": 49500,
        "not_updated_count": 0,
        "failed_count": 500,
        "progress_percent": 100,
        "checks": 1,
        "first_checked_at": checked_at,
        "next_check_seconds": None,
    }


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (status("completed", Updated_Count=50000, Failed_Count=0), ("COMPLETED", "SUCCEEDED", 100)),
        (status(Updated_Count=0, Failed_Count=0), ("COMPLETED", "PARTIALLY_SUCCEEDED", 0)),
        (status("FAILED"), ("FAILED", "FAILED", 100)),
        (status("in-progress", Updated_Count=24999, Failed_Count=500), ("IN_PROGRESS", None, 50)),
        (status("Rolling Back", Total_Count=None), ("ROLLING_BACK", None, None)),
    ],
)
def test_status_outcome_and_progress(scene, response, expected):
    scene.zoho.respond(body=response)
    report = scene.report()
    assert set(report) == REPORT_KEYS
    assert (report["status"], report["outcome"], report["progress_percent"]) == expected
    assert report["finished"] == (expected[1] is not None)
    scene.fn.stop()
    unknown = [line for line in scene.fn.logs if line["level"] == "WARN"]
    assert len(unknown) == (expected[0] == "ROLLING_BACK")


def test_a_report_is_a_request_that_continues_the_watch(scene):
    scene.running_job(run_seconds=1000)
    reports = [scene.report(label="for Ada", list="monday")]
    for _ in range(3):
        scene.zoho.advance(100)
        reports.append(scene.fn.invoke(reports[-1]).payload)
    assert [report["checks"] for report in reports] == [1, 2, 3, 4]
    assert {report["first_checked_at"] for report in reports} == {reports[0]["first_checked_at"]}
    assert [report["progress_percent"] for report in reports] == [50, 60, 70, 80]
    assert {(report["label"], report["list"]) for report in reports} == {("for Ada", "monday")}
    scene.zoho.advance(1000)
    last = scene.fn.invoke(reports[-1]).payload
    assert (last["outcome"], last["checks"], last["next_check_seconds"]) == ("SUCCEEDED", 5, None)


def test_the_bounds_of_the_next_check_and_the_limit_of_a_watch(make_scene):
    env = {"CHECK_INTERVAL_MIN_SECONDS": "33", "CHECK_INTERVAL_MAX_SECONDS": "44", "WATCH_LIMIT_SECONDS": "3600"}
    scene = make_scene(env=env)
    scene.running_job()
    assert 33 <= scene.report()["next_check_seconds"] <= 44
    old = {"first_checked_at": ago(seconds=3500), "checked_at": ago(minutes=5), "checks": 30}
    assert scene.report(**old)["next_check_seconds"] == 44
    report = scene.report(first_checked_at=ago(seconds=3601), checks=9)
    assert (report["outcome"], report["finished"], report["next_check_seconds"]) == ("WATCH_TIMED_OUT", False, None)
    assert (report["status"], report["checks"]) == ("RUNNING", 10)
    assert scene.report(first_checked_at="2999-01-01T00:00:00Z", checks=-1)["checks"] == 1, "no such past: ignored"
    scene.zoho.advance(200_000)
    assert scene.report(first_checked_at=ago(days=3))["outcome"] == "SUCCEEDED"


def test_the_announcement_for_a_state_machine_is_the_functions_own_message(scene):
    scene.running_job(run_seconds=100)
    report = scene.report(announcement=True)
    assert set(report) == REPORT_KEYS | {"announcement"}
    assert report["announcement"] is None
    scene.zoho.advance(100)
    last = scene.fn.invoke(report).payload
    announcement = last.pop("announcement")
    assert set(last) == REPORT_KEYS
    assert json.loads(json.loads(announcement["message"])["default"]) == last
    assert scene.published() == []
    scene.report(notify=True)
    (own,) = scene.published()
    assert (announcement["subject"], announcement["attributes"]) == (own.subject, own.attributes)
    assert json.loads(announcement["message"])["sms"] == own.texts["sms"]


def test_what_a_state_machine_caught_ends_its_watch(scene):
    failure = {"Error": "States.Timeout", "Cause": '{"errorMessage": "too late"}'}
    request = {"module": "Leads", "job_id": JOB_ID, "status": "RUNNING", "checks": 3}
    report = scene.fn.invoke({"request": request, "watch": "w", "announcement": True, "failure": failure}).payload
    assert (report["outcome"], report["error"]) == ("WATCH_FAILED", {"type": "States.Timeout", "message": "too late"})
    assert report["announcement"]["subject"].startswith("Not watched: Zoho CRM Leads owner change")
    assert scene.requests() == []
    inside = scene.fn.invoke({"request": {**request, "failure": failure}, "announcement": True}).payload
    assert inside["error"]["type"] == "JobNotFound", "a failure of the caller's own is ignored"


# ---- the rule: a watch that has worked ends only with its job, or at its limit --------------------------------------

GOOD = {"status": "RUNNING", "total_count": 100, "updated_count": 40, "failed_count": 0, "checks": 7}
WORKED = {"first_checked_at": ago(hours=2), "checked_at": ago(minutes=10), **GOOD}
AT_THE_LIMIT = {**WORKED, "first_checked_at": ago(hours=25)}
# (how Zoho responds, its error) and what becomes of a watch that is new, has worked, or has reached its limit.
GOES_ON = None
RULE = {
    "permanent": ((403, {"code": "NO_PERMISSION"}, "PermissionDenied"), "WATCH_FAILED", GOES_ON, "WATCH_TIMED_OUT"),
    "temporary": ((503, "", "ZohoUnavailable"), GOES_ON, GOES_ON, "WATCH_TIMED_OUT"),
    "no job": ((204, "", "JobNotFound"), "WATCH_FAILED", GOES_ON, "WATCH_TIMED_OUT"),
}


@pytest.mark.parametrize("caller", ["announcement", "schedule_arn"])
@pytest.mark.parametrize("name", RULE)
def test_the_rule(scene, name, caller):
    (code, body, error_type), *outcomes = RULE[name]
    scene.zoho.respond(status=code, body=body, times=100)
    for history, outcome in zip(({}, WORKED, AT_THE_LIMIT), outcomes, strict=True):
        if history is AT_THE_LIMIT and caller == "schedule_arn":
            continue  # a watch is never older than its schedule: test_schedule.py
        by = True if caller == "announcement" else scene.create_schedule(**history)
        report = scene.report(**history, **{caller: by})
        assert (report["outcome"], report["finished"]) == (outcome, False)
        assert report["error"]["type"] == error_type
        assert (report["next_check_seconds"] is None) == (outcome is not None)
        assert report["checks"] == history.get("checks", 0) + 1
        assert (report["status"], report["updated_count"]) == (history.get("status"), history.get("updated_count"))
        if caller == "schedule_arn":
            assert (scene.schedule(by) is None) == (outcome is not None)
            assert [message["MessageAttributes"]["outcome"]["Value"] for message in scene.received()] == (
                [outcome] if outcome else []
            )
        elif outcome == GOES_ON and history:
            assert 150 <= report["next_check_seconds"] <= 190, "a quarter of ten minutes, and up to a fifth more"
    assert scene.check(**WORKED).error_type == error_type, "anybody else gets the error"
    assert not re.search(r"ended|finished", "".join(message.texts["email"] for message in scene.published()))
