"""The report. src/watch/job.rs and src/watch/request/tests.rs have the complete tables of its values."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.scene import JOB_ID, REPORT_KEYS, status

RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_report_of_the_documented_sample(scene):
    scene.zoho.respond(body=status())
    before = ago(seconds=0)
    report = scene.report()
    checked_at = report.pop("checked_at")
    assert re.fullmatch(RFC_3339, checked_at)
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
    ("response", "outcome"),
    [
        (status("completed", Failed_Count=0), "SUCCEEDED"),
        (status("FAILED"), "FAILED"),
    ],
)
def test_the_outcome_of_a_finished_job(scene, response, outcome):
    scene.zoho.respond(body=response)
    report = scene.report()
    assert (report["finished"], report["outcome"], report["next_check_seconds"]) == (True, outcome, None)


@pytest.mark.parametrize(
    ("value", "normalized"),
    [
        ("in-progress", "IN_PROGRESS"),
        ("Rolling Back", "ROLLING_BACK"),
    ],
)
def test_a_status_that_is_not_an_end_is_passed_through(scene, value, normalized):
    scene.zoho.respond(body=status(value, Updated_Count=100, Failed_Count=0))
    report = scene.report()
    assert set(report) == REPORT_KEYS
    assert (report["status"], report["finished"], report["outcome"]) == (normalized, False, None)
    assert 10 <= report["next_check_seconds"] <= 900


def test_an_unknown_status_is_logged_as_a_warning(scene):
    scene.zoho.respond(body=status("Rolling Back"))
    scene.report()
    line = scene.fn.wait_for_line(lambda line: "ROLLING_BACK" in line and '"WARN"' in line)
    assert json.loads(line)["level"] == "WARN"


def test_a_known_status_is_not_logged_as_a_warning(scene):
    scene.running_job()
    scene.report()
    scene.fn.stop()
    assert [line for line in scene.fn.logs if line["level"] not in ("INFO", "DEBUG")] == []


@pytest.mark.parametrize(
    ("response", "percent"),
    [
        (status("RUNNING", Updated_Count=24999, Failed_Count=500), 50),
        (status("RUNNING", Total_Count=None), None),
    ],
)
def test_progress(scene, response, percent):
    scene.zoho.respond(body=response)
    assert scene.report()["progress_percent"] == percent


def test_counts_that_zoho_omits_are_null(scene):
    scene.zoho.respond(body=status("RUNNING", Not_Updated_Count=None, Failed_Count=None))
    report = scene.report()
    assert set(report) == REPORT_KEYS
    assert (report["total_count"], report["updated_count"]) == (50000, 49500)
    assert (report["not_updated_count"], report["failed_count"]) == (None, None)


def test_a_report_is_a_request_that_continues_the_watch(scene):
    scene.running_job(run_seconds=1000)
    reports = [scene.report()]
    for _ in range(3):
        scene.zoho.advance(100)
        result = scene.fn.invoke(reports[-1])
        assert result.ok
        reports.append(result.payload)
    assert [report["checks"] for report in reports] == [1, 2, 3, 4]
    assert {report["first_checked_at"] for report in reports} == {reports[0]["first_checked_at"]}
    assert [report["progress_percent"] for report in reports] == [50, 60, 70, 80]

    scene.zoho.advance(1000)
    last = scene.fn.invoke(reports[-1]).payload
    assert (last["outcome"], last["checks"], last["next_check_seconds"]) == ("SUCCEEDED", 5, None)


@pytest.mark.parametrize(
    "invalid",
    [
        {"checks": 18446744073709551615},
        {"first_checked_at": "2999-01-01T00:00:00Z"},
    ],
    ids=json.dumps,
)
def test_an_invalid_field_of_an_earlier_report_is_ignored(scene, invalid):
    scene.running_job()
    report = scene.report(**invalid)
    assert report["status"] == "RUNNING"
    assert report["first_checked_at"] <= report["checked_at"] <= ago(seconds=0)
    assert report["checks"] >= 1
    assert 10 <= report["next_check_seconds"] <= 900


def test_the_bounds_of_the_next_check(make_scene):
    scene = make_scene(env={"CHECK_INTERVAL_MIN_SECONDS": "33", "CHECK_INTERVAL_MAX_SECONDS": "44"})
    scene.running_job()
    assert 33 <= scene.report()["next_check_seconds"] <= 44
    old = {"first_checked_at": ago(hours=20), "checked_at": ago(hours=1), "checks": 30}
    assert 33 <= scene.report(**old)["next_check_seconds"] <= 44


def test_a_watch_ends_after_its_limit(make_scene):
    scene = make_scene(env={"WATCH_LIMIT_SECONDS": "3600"})
    scene.running_job()
    report = scene.report(first_checked_at=ago(seconds=3500))
    assert (report["outcome"], report["finished"]) == (None, False)

    report = scene.report(first_checked_at=ago(seconds=3601), checks=9)
    assert set(report) == REPORT_KEYS
    assert (report["outcome"], report["finished"], report["next_check_seconds"]) == ("WATCH_TIMED_OUT", False, None)
    assert (report["status"], report["checks"]) == ("RUNNING", 10)

    assert scene.report()["outcome"] is None


def test_a_job_that_finished_after_the_limit_is_reported_as_finished(scene):
    scene.finished_job(failed=0)
    assert scene.report(first_checked_at=ago(days=3))["outcome"] == "SUCCEEDED"


def test_a_watch_that_timed_out_is_published(scene):
    scene.running_job()
    schedule = scene.create_schedule()
    report = scene.report(first_checked_at=ago(days=2), schedule_arn=schedule)
    assert report["outcome"] == "WATCH_TIMED_OUT"
    assert scene.published()[0].values["outcome"] == "WATCH_TIMED_OUT"
    assert not scene.schedule_exists(schedule)


def test_the_announcement_for_a_state_machine(scene):
    scene.running_job(run_seconds=100)
    report = scene.report(announcement=True)
    assert set(report) == REPORT_KEYS | {"announcement"}
    assert report["announcement"] is None

    scene.zoho.advance(100)
    last = scene.fn.invoke(report).payload
    announcement = last.pop("announcement")
    assert set(last) == REPORT_KEYS
    assert set(announcement) == {"subject", "message", "attributes"}
    assert json.loads(json.loads(announcement["message"])["default"]) == last
    assert announcement["attributes"]["outcome"] == {"DataType": "String", "StringValue": "SUCCEEDED"}
    assert scene.published() == []


def test_the_announcement_is_the_functions_own_message(scene):
    scene.finished_job()
    announcement = scene.report(announcement=True)["announcement"]
    scene.report(notify=True)
    own = scene.published()[0]
    assert announcement["subject"] == own.subject
    assert announcement["attributes"] == own.attributes
    texts = json.loads(announcement["message"])
    assert texts.keys() == own.texts.keys()
    assert texts["sms"] == own.texts["sms"]
