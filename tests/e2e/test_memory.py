"""Memory is bounded, whoever sends how much. Lambda kills a process that exceeds its memory size."""

from __future__ import annotations

import json

import pytest

from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.process import MIB, Usage
from tests.e2e.scene import JOB_ID

# The template's memory size is 128 MB. A payload of 6 MB is received as a whole.
BOUND = 100 * MIB
PAYLOAD_SIZE = 6 * MIB - 200
REQUEST = {"module": "Leads", "job_id": JOB_ID}


def peak(scene) -> int:
    return Usage.of(scene.fn.environments[0].pid).peak


def payload(part: str, before: str = "[", after: str = "0]") -> bytes:
    """A valid request whose ignored field is as large as Lambda delivers."""
    start, end = json.dumps(REQUEST)[:-1] + f', "x": {before}', after + "}"
    return (start + part * ((PAYLOAD_SIZE - len(start) - len(end)) // len(part)) + end).encode()


PAYLOADS = {
    "numbers": payload("1,"),
    "objects": payload("{},"),
    "arrays": payload("[[]],"),
    "strings": payload('"\\u00e9",'),
    "keys": payload('{"a":1},'),
    "floats": payload("1e300,"),
    "too large numbers": payload("1e400,"),
    "lone surrogates": payload('"\\ud800",'),
    "one string": payload("A", '"', '"'),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_of_six_megabytes(scene, name):
    scene.running_job()
    result = scene.fn.invoke(PAYLOADS[name])
    assert result.ok, result.error_message
    assert result.payload["status"] == "RUNNING"
    assert peak(scene) < BOUND


def test_a_deeply_nested_payload(scene):
    scene.running_job()
    depth = 100_000
    nested = (json.dumps(REQUEST)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}").encode()
    result = scene.fn.invoke(nested)
    assert result.ok, result.error_message
    assert peak(scene) < BOUND


@pytest.mark.parametrize("where", ["body", "headers"])
@pytest.mark.parametrize("side", ["crm", "accounts"])
def test_an_endless_response_of_zoho(make_scene, side, where):
    scene = make_scene(REFRESH_TOKEN_SECRET, env={"REQUEST_TIMEOUT_SECONDS": "2"})
    scene.zoho.fault("endless", times=99, side=side, where=where)
    assert not scene.check(timeout=5).ok
    assert peak(scene) < BOUND
    assert scene.fn.cold_starts == 1


@pytest.mark.parametrize("where", ["body", "headers"])
@pytest.mark.parametrize(
    ("service", "action", "error_type"),
    [
        ("secretsmanager", "GetSecretValue", "SecretUnavailable"),
        ("sns", "Publish", "NotificationFailed"),
        ("scheduler", "DeleteSchedule", "ScheduleNotDeleted"),
    ],
)
def test_an_endless_response_of_aws(make_scene, stack, service, action, error_type, where):
    scene = make_scene(env={"REQUEST_TIMEOUT_SECONDS": "2"})
    scene.finished_job()
    schedule = scene.create_schedule()
    with stack.fail_aws(service, action, status=None, kind="endless", parameters={"where": where}):
        result = scene.check(schedule_arn=schedule, timeout=5)
    assert result.error_type == error_type, json.dumps(result.payload)
    assert peak(scene) < BOUND
    assert scene.fn.cold_starts == 1
