"""Memory is bounded, whoever sends how much, and stays the same over many invocations."""

from __future__ import annotations

import json
import os

import pytest

from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.process import MIB, Usage
from tests.e2e.scene import JOB_ID

# The template's memory size is 128 MB, and Lambda kills a process that exceeds it. A payload of 6 MB is received whole.
BOUND = 100 * MIB
PAYLOAD_SIZE = 6 * MIB - 200
REQUEST = {"module": "Leads", "job_id": JOB_ID}
INVOCATIONS = int(os.environ.get("INVOCATIONS", "1500"))
WARM_UP = 500  # after this many, caches and buffers have their size


def payload(part: str, before: str = "[", after: str = "0]") -> bytes:
    """A valid request whose ignored field is as large as Lambda delivers."""
    start, end = json.dumps(REQUEST)[:-1] + f', "x": {before}', after + "}"
    return (start + part * ((PAYLOAD_SIZE - len(start) - len(end)) // len(part)) + end).encode()


PAYLOADS = {
    "objects": payload("{},"),
    "arrays": payload("[[]],"),
    "keys": payload('{"a":1},'),
    "too large numbers": payload("1e400,"),
    "lone surrogates": payload('"\\ud800",'),
    "one string": payload("A", '"', '"'),
    "a hundred thousand levels": (json.dumps(REQUEST)[:-1] + f', "x": {"[" * 100_000}{"]" * 100_000}}}').encode(),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_as_large_as_lambda_delivers(scene, name):
    scene.running_job()
    result = scene.fn.invoke(PAYLOADS[name])
    assert result.ok, result.error_message
    assert result.payload["status"] == "RUNNING"
    assert Usage.of(scene.fn.environments[0].pid).peak < BOUND


@pytest.mark.parametrize("where", ["body", "headers"])
@pytest.mark.parametrize("side", ["crm", "accounts", "secretsmanager GetSecretValue", "sns Publish"])
def test_an_endless_response(make_scene, stack, side, where):
    scene = make_scene(REFRESH_TOKEN_SECRET, env={"REQUEST_TIMEOUT_SECONDS": "2"})
    scene.finished_job()
    if " " in side:
        stack.fail_aws(*side.split(), status=None, kind="endless", parameters={"where": where})
    else:
        scene.zoho.fault("endless", times=99, side=side, where=where)
    assert not scene.check(timeout=5, notify=True).ok
    assert Usage.of(scene.fn.environments[0].pid).peak < BOUND
    assert scene.fn.cold_starts == 1


def test_resource_use_stays_flat(scene):
    """INVOCATIONS=10000 makes it longer."""
    scene.running_job()
    requests = [REQUEST, {**REQUEST, "module": "Leeds"}, {"module": "Leads"}]
    requests.append({**REQUEST, "x": ["y" * 1_000] * 100})

    def usage_after(times: int) -> Usage:
        for number in range(times):
            scene.fn.invoke(requests[number % len(requests)], headers={"Lambda-Runtime-Trace-Id": "Root=1-0-0"})
        return Usage.of(scene.fn.environments[0].pid)

    before, after = usage_after(WARM_UP), usage_after(INVOCATIONS - WARM_UP)
    assert (scene.fn.cold_starts, scene.fn.invocations) == (1, INVOCATIONS)
    assert after.resident - before.resident < MIB // 2
    assert (after.files, after.threads) == (before.files, before.threads)
