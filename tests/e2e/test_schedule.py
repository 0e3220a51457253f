"""Schedules: publish first, then delete, and announce the end of a watch that cannot continue."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.e2e.scene import JOB_ID, REPORT_KEYS


def epoch_seconds(time: str) -> int:
    return int(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp())


def order(scene) -> list[str]:
    """The two requests at the end of a watch, in their order."""
    return [call.action for call in scene.stack.calls() if call.action in ("Publish", "DeleteSchedule")]


def test_the_end_is_published_and_then_the_schedule_is_deleted(scene):
    scene.finished_job()
    schedule = scene.create_schedule()
    before = len(order(scene))
    report = scene.report(schedule_arn=schedule)
    assert report["schedule_deleted"] is True
    assert report["notification"]["message_id"] == scene.received()[0]["MessageId"]
    assert not scene.schedule_exists(schedule)
    assert order(scene)[before:] == ["Publish", "DeleteSchedule"]


def test_an_unfinished_job_keeps_its_schedule(scene):
    scene.running_job()
    schedule = scene.create_schedule()
    assert set(scene.report(schedule_arn=schedule)) == REPORT_KEYS
    assert scene.schedule_exists(schedule)


def test_a_schedule_that_does_not_exist_any_more_is_a_success(scene):
    scene.finished_job()
    schedule = scene.create_schedule()
    scene.report(schedule_arn=schedule)
    result = scene.check(schedule_arn=schedule)
    assert result.ok, result.error_message
    assert "schedule_deleted" in result.payload


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerException", 500),
        ("ThrottlingException", 429),
        ("AccessDeniedException", 403),
        ("ConflictException", 409),
    ],
)
def test_a_schedule_that_cannot_be_deleted(scene, code, status):
    scene.finished_job()
    schedule = scene.create_schedule()
    with scene.stack.fail_aws("scheduler", "DeleteSchedule", status=status, code=code):
        result = scene.check(schedule_arn=schedule)
    assert result.error_type == "ScheduleNotDeleted"
    assert code in result.error_message
    assert len(scene.received()) == 1
    assert scene.schedule_exists(schedule)


def test_a_schedule_is_kept_until_the_message_is_accepted(scene):
    scene.finished_job()
    schedule = scene.create_schedule()
    with scene.stack.fail_aws("sns", "Publish", code="InternalError"):
        assert scene.check(schedule_arn=schedule).error_type == "NotificationFailed"
    assert scene.schedule_exists(schedule)


def test_a_kill_between_publishing_and_deleting_repeats_the_message(scene):
    scene.finished_job()
    schedule = scene.create_schedule()
    with scene.stack.fail_aws("scheduler", "DeleteSchedule", times=1, status=500, hold=True) as fault:
        sent = scene.fn.invoke_event({"module": "Leads", "job_id": JOB_ID, "schedule_arn": schedule})
        fault.wait_until_held()
        scene.fn.environments[0].kill()
        attempts = sent.wait()
    assert [attempt.error_type for attempt in attempts] == ["Runtime.ExitError", None]
    event_ids = [message["MessageAttributes"]["event_id"]["Value"] for message in scene.received()]
    assert event_ids == [f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"] * 2
    assert not scene.schedule_exists(schedule)


# ---- a watch that cannot continue ---------------------------------------------------------------------


def test_a_permanent_error_ends_the_watch_with_one_message(scene):
    schedule = scene.create_schedule()
    result = scene.check(schedule_arn=schedule)
    assert result.ok, result.error_message
    report = result.payload
    assert set(report) == REPORT_KEYS | {"error", "notification", "schedule_deleted"}
    assert (report["status"], report["finished"], report["outcome"]) == (None, False, "WATCH_FAILED")
    assert [report[name] for name in report if name.endswith("_count")] == [None] * 4
    assert report["next_check_seconds"] is None
    assert report["error"]["type"] == "JobNotFound"
    assert "60 days" in report["error"]["message"]
    assert not scene.schedule_exists(schedule)

    (received,) = scene.received()
    assert set(json.loads(received["Message"])) == REPORT_KEYS | {"error"}
    attributes = {name: attribute["Value"] for name, attribute in received["MessageAttributes"].items()}
    assert attributes == {
        "module": "Leads",
        "job_id": JOB_ID,
        "outcome": "WATCH_FAILED",
        "event_id": f"Leads-{JOB_ID}-WATCH_FAILED-{epoch_seconds(report['first_checked_at'])}",
    }
    (publication,) = scene.published()
    assert publication.subject.isascii()
    assert "JobNotFound" in publication.texts["email"]


@pytest.mark.parametrize(
    ("status", "code", "error_type"),
    [
        (401, "OAUTH_SCOPE_MISMATCH", "ScopeMismatch"),
        (401, "INVALID_TOKEN", "TokenRejected"),
        (403, "NO_PERMISSION", "PermissionDenied"),
        (400, "INVALID_MODULE", "InvalidModule"),
        (404, "INVALID_URL_PATTERN", "ZohoUnexpectedResponse"),
    ],
)
def test_the_errors_that_end_a_watch(scene, status, code, error_type):
    schedule = scene.create_schedule()
    scene.zoho.respond(status=status, body={"code": code, "message": "m", "status": "error"}, times=3)
    report = scene.report(schedule_arn=schedule)
    assert (report["outcome"], report["error"]["type"]) == ("WATCH_FAILED", error_type)
    assert not scene.schedule_exists(schedule)


def test_an_invalid_secret_ends_a_watch(make_scene):
    scene = make_scene("{}")
    schedule = scene.create_schedule()
    assert scene.report(schedule_arn=schedule)["error"]["type"] == "SecretInvalid"
    assert not scene.schedule_exists(schedule)


def test_an_invalid_request_ends_a_watch(scene):
    schedule = scene.create_schedule()
    result = scene.fn.invoke({"module": "Leads", "job_id": 3652397000009565021, "schedule_arn": schedule})
    assert result.ok, result.error_message
    assert (result.payload["outcome"], result.payload["error"]["type"]) == ("WATCH_FAILED", "InvalidInput")
    assert len(scene.received()) == 1
    assert not scene.schedule_exists(schedule)


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [("server-error", "ZohoUnavailable"), ("rate-limit", "ZohoRateLimited"), ("reset", "ZohoUnavailable")],
)
def test_a_retryable_error_keeps_the_watch(scene, fault, error_type):
    schedule = scene.create_schedule()
    scene.zoho.fault(fault, times=3, side="crm")
    assert scene.check(schedule_arn=schedule).error_type == error_type
    assert scene.published() == []
    assert scene.schedule_exists(schedule)


def test_an_invalid_configuration_keeps_the_watch(make_scene):
    scene = make_scene(env={"REQUEST_TIMEOUT_SECONDS": "ten"})
    schedule = scene.create_schedule()
    assert scene.check(schedule_arn=schedule).error_type == "InvalidConfiguration"
    assert scene.published() == []
    assert scene.schedule_exists(schedule)


def test_an_end_that_cannot_be_announced_is_the_error_itself(scene):
    schedule = scene.create_schedule()
    with scene.stack.fail_aws("sns", "Publish"):
        assert scene.check(schedule_arn=schedule).error_type == "JobNotFound"
    assert scene.received() == []
    assert scene.schedule_exists(schedule)


def test_an_end_whose_schedule_cannot_be_deleted_is_announced_once(scene):
    schedule = scene.create_schedule()
    with scene.stack.fail_aws("scheduler", "DeleteSchedule"):
        for _ in range(3):
            assert scene.check(schedule_arn=schedule).error_type == "ScheduleNotDeleted"
    assert len(scene.received()) == 1
    assert scene.report(schedule_arn=schedule)["schedule_deleted"] is True
    assert scene.received() == []
    assert not scene.schedule_exists(schedule)


def test_without_a_schedule_an_error_ends_nothing(scene):
    assert scene.check(notify=True).error_type == "JobNotFound"
    assert scene.published() == []
