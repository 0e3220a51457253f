"""The report, and the one rule. src/watch and src/handler have the complete tables, tests/deploy whole watches."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.e2e.scene import ago, status


def test_an_unknown_status_is_passed_on_with_a_warning(scene):
    scene.zoho.respond(body=status("Rolling Back", Total_Count=None))
    report = scene.report()
    assert (report["status"], report["finished"], report["outcome"]) == ("ROLLING_BACK", False, None)
    assert (report["total_count"], report["progress_percent"]) == (None, None)
    assert "ROLLING_BACK" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)


def test_the_bounds_of_the_next_check_and_the_limit_of_a_watch(make_scene):
    env = {"CHECK_INTERVAL_MIN_SECONDS": "33", "CHECK_INTERVAL_MAX_SECONDS": "44", "WATCH_LIMIT_SECONDS": "3600"}
    scene = make_scene(env=env)
    scene.running_job()
    assert scene.report()["next_check_seconds"] == 33
    old = {"first_checked_at": ago(minutes=30), "checked_at": ago(minutes=5), "checks": 30}
    assert scene.report(**old)["next_check_seconds"] == 44
    report = scene.report(first_checked_at=ago(seconds=3601), checks=9)
    assert (report["outcome"], report["finished"], report["next_check_seconds"]) == ("WATCH_TIMED_OUT", False, None)
    assert (report["status"], report["checks"]) == ("RUNNING", 10)


@pytest.mark.parametrize("caller", ["announcement", "schedule_arn"])
def test_a_watch_that_has_worked_ends_only_with_its_job_or_at_its_limit(scene, caller):
    counts = {"total_count": 100, "updated_count": 40, "failed_count": 0}
    worked = {
        "status": "RUNNING",
        **counts,
        "checks": 7,
        "first_checked_at": ago(hours=2),
        "checked_at": ago(minutes=10),
    }
    at_the_limit = {**worked, "first_checked_at": ago(hours=25)}
    refused = (403, "NO_PERMISSION", "PermissionDenied")
    rows = [
        ((503, "", "ZohoUnavailable"), {}, None),
        (refused, {}, "WATCH_FAILED"),
        (refused, worked, None),
    ]
    if caller == "announcement":  # a watch is never older than its schedule: test_schedule.py
        rows.append((refused, at_the_limit, "WATCH_TIMED_OUT"))
    for (code, word, error_type), history, outcome in rows:
        scene.zoho.respond(status=code, body={"code": word}, times=3)
        by = True if caller == "announcement" else scene.create_schedule(**history)
        report = scene.report(**history, **{caller: by})
        assert (report["outcome"], report["finished"]) == (outcome, False)
        assert report["error"]["type"] == error_type
        assert report["checks"] == history.get("checks", 0) + 1
        assert (report["status"], report["updated_count"]) == (history.get("status"), history.get("updated_count"))
        assert (report["next_check_seconds"] is None) == (outcome is not None)
        if caller == "schedule_arn":
            assert (scene.schedule(by) is None) == (outcome is not None)
            told = [message["MessageAttributes"]["outcome"]["Value"] for message in scene.received()]
            assert told == ([outcome] if outcome else [])
        elif outcome is None and history:
            seen = datetime.fromisoformat(history["checked_at"].replace("Z", "+00:00"))
            age = (datetime.now(seen.tzinfo) - seen).total_seconds()
            assert 150 <= report["next_check_seconds"] <= age / 4 * 1.2 + 1, "a quarter, and up to a fifth more"
        scene.zoho.clear_faults()
    scene.zoho.respond(status=403, body={"code": "NO_PERMISSION"})
    assert scene.check(**worked).error_type == "PermissionDenied", "anybody else gets the error"
