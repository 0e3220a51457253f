"""What happens at the end of a watch if the requests to one dependency fail: recovered, or the named error.

Each cell is a schedule that invokes the function for a job that has finished, in a new execution environment. Then the
requests succeed again, and the watch must end within three invocations, told with one event ID.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Invocation
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests import schemas
from tests.e2e.scene import JOB_ID, Scene, ago
from tests.e2e.test_logs import leaks

TIMEOUT_SECONDS = 8
SECRETS = ["wJalrXUtnFEMI-EXAMPLE-own", "IQoJb3JpZ2luX2Vj-EXAMPLE-own"]

# Complete responses. The other faults are of `local.wire`: the response is lost, cut, late, or endless.
RESPONSES: dict[str, dict[str, Any]] = {
    "503 page": {"status": 503, "body": "<html>Service Unavailable</html>"},
    "200 page": {"status": 200, "body": "<html>Sign in</html>"},
    "403 page": {"status": 403, "body": "<html>Forbidden</html>"},
    "401 INVALID_TOKEN": {"status": 401, "body": {"code": "INVALID_TOKEN", "message": "m"}},
    "429": {"status": 429, "body": {"code": "TOO_MANY_REQUESTS", "message": "m"}},
    "401 scope": {"status": 401, "body": {"code": "OAUTH_SCOPE_MISMATCH", "message": "m"}},
    "400 INVALID_MODULE": {"status": 400, "body": {"code": "INVALID_MODULE", "message": "m"}},
    "403 NO_PERMISSION": {"status": 403, "body": {"code": "NO_PERMISSION", "message": "m"}},
    "204": {"status": 204, "body": ""},
    "invalid_code": {"status": 200, "body": {"error": "invalid_code"}},
    "Access Denied": {"status": 400, "body": {"error": "Access Denied", "status": "failure"}},
    "invalid_something": {"status": 400, "body": {"error": "invalid_something"}},
    "500": {"status": 500, "code": "InternalFailure"},
    "throttled": {"status": 400, "code": "ThrottlingException"},
    "denied": {"status": 403, "code": "AccessDeniedException"},
    "missing": {"status": 404, "code": "ResourceNotFoundException"},
}

RECOVERED = "recovered"
ZOHO_API, ACCOUNTS = ("crm", ""), ("accounts", "")
READ, WRITE = ("secretsmanager", "GetSecretValue"), ("secretsmanager", "PutSecretValue")
PUBLISH, LOOK, DELETE = ("sns", "Publish"), ("scheduler", "GetSchedule"), ("scheduler", "DeleteSchedule")

# What happens if the requests fail once, and always.
TABLE = {
    ZOHO_API: {
        "reset": (RECOVERED, "ZohoUnavailable"),
        "truncate": (RECOVERED, "ZohoUnavailable"),
        "garbage": (RECOVERED, "ZohoUnavailable"),
        # A request that timed out is repeated by the next firing.
        "stall": ("ZohoUnavailable", "ZohoUnavailable"),
        "503 page": (RECOVERED, "ZohoUnavailable"),
        "401 INVALID_TOKEN": (RECOVERED, "TokenRejected"),
        "429": (RECOVERED, "ZohoRateLimited"),
        "200 page": (RECOVERED, "ZohoUnexpectedResponse"),
        "403 page": (RECOVERED, "ZohoUnexpectedResponse"),
        "204": (RECOVERED, "JobNotFound"),
        "401 scope": ("ScopeMismatch", "ScopeMismatch"),
        "400 INVALID_MODULE": ("InvalidModule", "InvalidModule"),
        "403 NO_PERMISSION": ("PermissionDenied", "PermissionDenied"),
        "endless": ("ZohoUnexpectedResponse", "ZohoUnexpectedResponse"),
    },
    ACCOUNTS: {
        "close": (RECOVERED, "ZohoUnavailable"),
        "stall": (RECOVERED, "ZohoUnavailable"),
        "200 page": (RECOVERED, "ZohoUnexpectedResponse"),
        "invalid_code": ("TokenRejected", "TokenRejected"),
        "Access Denied": ("TokenRateLimited", "TokenRateLimited"),
        "invalid_something": (RECOVERED, "ZohoUnavailable"),
    },
    READ: {
        "stall": (RECOVERED, "SecretUnavailable"),
        "200 page": (RECOVERED, "SecretUnavailable"),
        "throttled": (RECOVERED, "SecretUnavailable"),
        # The first read is that of INIT; the invocation reads again.
        "denied": (RECOVERED, "SecretInvalid"),
    },
    # A token that cannot be shared is used alone.
    WRITE: {"reset": (RECOVERED, RECOVERED), "denied": (RECOVERED, RECOVERED), "200 page": (RECOVERED, RECOVERED)},
    PUBLISH: {
        "500": (RECOVERED, "NotificationFailed"),
        "throttled": (RECOVERED, "NotificationFailed"),
        "denied": ("NotificationFailed", "NotificationFailed"),
        "200 page": ("NotificationFailed", "NotificationFailed"),
    },
    LOOK: {
        "reset": (RECOVERED, "ScheduleNotDeleted"),
        "denied": ("ScheduleNotDeleted", "ScheduleNotDeleted"),
        "missing": (RECOVERED, RECOVERED),
    },
    DELETE: {
        "throttled": (RECOVERED, "ScheduleNotDeleted"),
        "denied": ("ScheduleNotDeleted", "ScheduleNotDeleted"),
        "200 page": ("ScheduleNotDeleted", "ScheduleNotDeleted"),
    },
}
TIMES = {"once": 1, "always": 100_000}
CELLS = [
    pytest.param(dependency, fault, TIMES[times], expected, id=f"{' '.join(dependency)} {fault}, {times}")
    for dependency, rows in TABLE.items()
    for fault, both in rows.items()
    for times, expected in zip(TIMES, both, strict=True)
]


def test_every_error_name_has_a_cell():
    names = {name for rows in TABLE.values() for both in rows.values() for name in both}
    elsewhere = {"InvalidInput", "InvalidConfiguration"}  # test_triggers.py, test_configuration.py
    known = {one["const"] for one in schemas.schema("error")["$defs"]["ErrorType"]["oneOf"]}
    assert names - {RECOVERED} | elsewhere == known


@contextlib.contextmanager
def failing(scene: Scene, dependency: tuple[str, str], fault: str, times: int) -> Iterator[None]:
    how = RESPONSES.get(fault, {"kind": fault, "status": None})
    if dependency not in (ZOHO_API, ACCOUNTS):
        with scene.stack.fail_aws(*dependency, times=times, **how):
            yield
        return
    if "kind" in how:
        scene.zoho.fault(fault, times, dependency[0])
    else:
        scene.zoho.respond(**how, times=times, side=dependency[0])
    yield
    scene.zoho.clear_faults()


def result_of(invocation: Invocation) -> str:
    """The error of an invocation, of the watch that it ended, or of a report that goes on."""
    if not invocation.ok:
        return invocation.error_type or "?"
    return (invocation.payload.get("error") or {}).get("type", RECOVERED)


@pytest.mark.parametrize(("dependency", "fault", "times", "expected"), CELLS)
def test_cell(make_scene, stack, dependency, fault, times, expected):
    env = {
        "REQUEST_TIMEOUT_SECONDS": "1",
        "AWS_SECRET_ACCESS_KEY": SECRETS[0],
        "AWS_SESSION_TOKEN": SECRETS[1],
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "RUST_LOG": "trace",
    }
    scene = make_scene(REFRESH_TOKEN_SECRET, env=env, timeout=TIMEOUT_SECONDS)
    scene.finished_job()
    began = ago(seconds=30)
    schedule = scene.create_schedule(first_checked_at=began)
    request = {"module": "Leads", "job_id": JOB_ID, "schedule_arn": schedule, "first_checked_at": began}
    with failing(scene, dependency, fault, times):
        invocations = [scene.fn.invoke(request)]
    assert result_of(invocations[0]) == expected, invocations[0]
    assert invocations[0].left >= 0.5, "responded too late"
    for _ in range(3):
        if scene.schedule(schedule) is None or (dependency == LOOK and invocations[-1].ok):
            break
        # New credentials end the time for which a failed token request counts.
        scene.put_secret({**REFRESH_TOKEN_SECRET, "data_center": "EU"})
        invocations.append(scene.fn.invoke(request, timeout=30))
    assert invocations[-1].ok or scene.schedule(schedule) is None, invocations[-1]
    published = scene.published()
    assert len({message.values["event_id"] for message in published}) == 1
    shown = [json.dumps([invocation.payload for invocation in invocations]), scene.fn.output]
    shown += [f"{message.subject} {message.message}" for message in published]
    secrets = [secret for secret in REFRESH_TOKEN_SECRET.values() if secret != "US"]
    assert leaks("\n".join(shown), [*secrets, *SECRETS, *stack.zoho.access_tokens]) == []


@pytest.mark.parametrize("dependency", TABLE, ids=" ".join)
def test_a_dependency_that_does_not_respond_at_all(make_scene, dependency):
    """The function responds half a second before its deadline. A machine can pause: one of three attempts counts."""
    scene = make_scene(REFRESH_TOKEN_SECRET, timeout=2.5)
    scene.finished_job()
    lefts = []
    with (
        failing(scene, dependency, "stall", 100_000)
        if dependency[1] == ""
        else scene.stack.fail_aws(*dependency, status=None, hold=True)
    ):
        while not lefts or lefts[-1] < 0.5:
            assert len(lefts) < 3, f"responded {lefts} s before the deadline"
            schedule = scene.create_schedule(first_checked_at=ago(seconds=5))
            lefts.append(scene.check(schedule_arn=schedule).left)
