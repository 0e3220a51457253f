"""Attempts, waits and deadlines: what the function does while Zoho or AWS are not themselves."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.scene import REFRESH_TOKEN_SECRET, status

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
def test_a_passing_fault_is_not_seen_by_the_caller(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, times=2, side="crm")
    assert scene.report()["status"] == "RUNNING"
    assert [record.fault for record in scene.requests()] == [fault, fault, None]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_is_an_error_after_three_attempts(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, times=9, side="crm")
    answer = scene.check()
    assert answer.error_type == ("ZohoRateLimited" if fault == "rate-limit" else "ZohoUnavailable")
    assert len(scene.requests()) == 3


def test_a_refused_connection_is_zoho_unavailable(make_scene):
    answer = make_scene(env={"ZOHO_API_DOMAIN": "http://127.0.0.1:1"}).check()
    assert answer.error_type == "ZohoUnavailable"


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Retry-After": "1"}, "body": {"code": "TOO_MANY_REQUESTS"}},
        {"headers": {}, "body": {"code": "TOO_MANY_REQUESTS", "details": {"retry_after": 1}}},
    ],
    ids=["header", "body"],
)
def test_the_wait_that_zoho_asks_for_is_kept(scene, asked):
    scene.running_job()
    scene.zoho.respond(status=429, **asked)
    assert scene.report()["status"] == "RUNNING"
    first, second = scene.requests()
    assert second.at - first.at >= 1


def test_a_wait_that_does_not_fit_is_not_begun(scene):
    scene.zoho.respond(status=429, headers={"Retry-After": "3600"}, body={"code": "TOO_MANY_REQUESTS"}, times=3)
    answer = scene.check()
    assert answer.error_type == "ZohoRateLimited"
    assert len(scene.requests()) == 1
    assert answer.left > 20


def test_attempts_on_the_clock_of_one_request(make_scene):
    scene = make_scene(env={"REQUEST_TIMEOUT_SECONDS": "1"})
    scene.running_job()
    scene.zoho.fault("stall", times=1, side="crm")
    assert scene.report()["status"] == "RUNNING"
    assert [record.fault for record in scene.requests()] == ["stall", None]


def answered_in_time(check) -> str:
    """The error of a call whose time is up, once one of three has been answered half a second before the deadline.

    A function that ignores its deadline fails all three; a machine that pauses for a moment spoils one.
    """
    for _ in range(3):
        answer = check()
        assert not answer.ok
        assert answer.error_type != "Sandbox.Timedout"
        if answer.left >= 0.5:
            return answer.error_type
    raise AssertionError(f"answered {answer.left} s before the deadline")


@pytest.mark.parametrize("fault", ["stall", "stall-in-headers", "stall-in-body"])
def test_a_stalled_answer_does_not_outlive_the_deadline(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, times=99, side="crm")
    assert answered_in_time(lambda: scene.check(timeout=2)) == "ZohoUnavailable"


def test_a_connection_that_is_never_answered_does_not_outlive_the_deadline(scene):
    scene.zoho.fault("stall-on-accept", times=99)
    assert answered_in_time(lambda: scene.check(timeout=2)) == "ZohoUnavailable"


def test_a_stalled_accounts_server_does_not_outlive_the_deadline(make_scene):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.zoho.fault("stall", times=99, side="accounts")
    assert answered_in_time(lambda: scene.check(timeout=2)) in ("ZohoUnavailable", "TokenRateLimited")


@pytest.mark.parametrize(
    ("service", "action", "error_type"),
    [
        ("secretsmanager", "GetSecretValue", "SecretUnavailable"),
        ("sns", "Publish", "NotificationFailed"),
        ("scheduler", "DeleteSchedule", "ScheduleNotDeleted"),
    ],
)
def test_an_aws_service_that_hangs_does_not_outlive_the_deadline(scene, service, action, error_type):
    scene.finished_job()
    schedule = scene.create_schedule()
    with scene.stack.fail_aws(service, action, status=None, hold=True):
        assert answered_in_time(lambda: scene.check(timeout=2.5, schedule_arn=schedule)) == error_type


@pytest.mark.parametrize("fault", ["close-idle", "close-reused", "reset-reused"])
def test_a_connection_that_died_while_idle_costs_no_error(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, side="crm")
    assert scene.report()["checks"] == 1
    assert scene.report()["checks"] == 1
    assert scene.fn.cold_starts == 1


def test_a_connection_that_died_while_the_environment_was_frozen_costs_no_error(scene):
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
