"""Attempts, waits, and deadlines while Zoho or AWS fail."""

from __future__ import annotations

import signal

import pytest

from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.scene import status

FAULTS = {
    "reset": {},
    "close": {},
    "reset-in-body": {},
    "truncate": {},
    "garbage": {},
    "server-error": {},
    "rate-limit": {},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_caller_does_not_notice_two_failures(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, times=2, side="crm")
    assert scene.report()["status"] == "RUNNING"
    assert [record.fault for record in scene.requests()] == [fault, fault, None]


@pytest.mark.parametrize("fault", FAULTS)
def test_three_failures_are_an_error(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, times=9, side="crm")
    result = scene.check()
    assert result.error_type == ("ZohoRateLimited" if fault == "rate-limit" else "ZohoUnavailable")
    assert len(scene.requests()) == 3


def test_a_refused_connection_is_zoho_unavailable(make_scene):
    result = make_scene(env={"ZOHO_API_DOMAIN": "http://127.0.0.1:1"}).check()
    assert result.error_type == "ZohoUnavailable"


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Retry-After": "1"}, "body": {"code": "TOO_MANY_REQUESTS"}},
        {"headers": {}, "body": {"code": "TOO_MANY_REQUESTS", "details": {"retry_after": 1}}},
    ],
    ids=["header", "body"],
)
def test_the_wait_that_zoho_asks_for_is_respected(scene, asked):
    scene.running_job()
    scene.zoho.respond(status=429, **asked)
    assert scene.report()["status"] == "RUNNING"
    first, second = scene.requests()
    assert second.at - first.at >= 1


def test_a_wait_that_does_not_fit_is_not_started(scene):
    scene.zoho.respond(status=429, headers={"Retry-After": "3600"}, body={"code": "TOO_MANY_REQUESTS"}, times=3)
    result = scene.check()
    assert result.error_type == "ZohoRateLimited"
    assert len(scene.requests()) == 1
    assert result.left > 20


def test_an_attempt_times_out(make_scene):
    scene = make_scene(env={"REQUEST_TIMEOUT_SECONDS": "1"})
    scene.running_job()
    scene.zoho.fault("stall", times=1, side="crm")
    assert scene.report()["status"] == "RUNNING"
    assert [record.fault for record in scene.requests()] == ["stall", None]


def error_in_time(check) -> str:
    """The error of an invocation that responds half a second before its deadline, in at least one of three attempts.

    A function that ignores its deadline fails all three; a machine that pauses for a moment only one.
    """
    for _ in range(3):
        result = check()
        assert not result.ok
        assert result.error_type != "Sandbox.Timedout"
        if result.left >= 0.5:
            return result.error_type
    raise AssertionError(f"responded {result.left} s before the deadline")


@pytest.mark.parametrize("fault", ["stall", "stall-in-headers", "stall-in-body"])
def test_a_stalled_response(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, times=99, side="crm")
    assert error_in_time(lambda: scene.check(timeout=2)) == "ZohoUnavailable"


def test_a_connection_without_a_response(scene):
    scene.zoho.fault("stall-on-accept", times=99)
    assert error_in_time(lambda: scene.check(timeout=2)) == "ZohoUnavailable"


def test_a_stalled_accounts_server(make_scene):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.zoho.fault("stall", times=99, side="accounts")
    assert error_in_time(lambda: scene.check(timeout=2)) == "ZohoUnavailable"


@pytest.mark.parametrize(
    ("service", "action", "error_type"),
    [
        ("secretsmanager", "GetSecretValue", "SecretUnavailable"),
        ("sns", "Publish", "NotificationFailed"),
        ("scheduler", "DeleteSchedule", "ScheduleNotDeleted"),
    ],
)
def test_an_aws_service_without_a_response(scene, service, action, error_type):
    scene.finished_job()
    schedule = scene.create_schedule()
    with scene.stack.fail_aws(service, action, status=None, hold=True):
        assert error_in_time(lambda: scene.check(timeout=2.5, schedule_arn=schedule)) == error_type


@pytest.mark.parametrize("fault", ["close-idle", "close-reused", "reset-reused"])
def test_a_connection_that_ended_while_idle_is_replaced(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, side="crm")
    assert scene.report()["checks"] == 1
    assert scene.report()["checks"] == 1
    assert scene.fn.cold_starts == 1


def test_a_connection_that_ended_while_frozen_is_replaced(scene):
    scene.running_job()
    scene.zoho.fault("close-idle", side="crm")
    scene.report()
    environment = scene.fn.environments[0]
    environment.signal(signal.SIGSTOP)
    scene.zoho.advance(600)
    environment.signal(signal.SIGCONT)
    assert scene.report()["status"] == "RUNNING"


def test_a_status_that_took_several_attempts_counts_as_one_check(scene):
    scene.zoho.fault("server-error", times=2, side="crm")
    scene.zoho.respond(body=status("RUNNING"))
    assert scene.report()["checks"] == 1
