"""Kills and freezes at every request of a watch that ends: Lambda's retry ends it, with one event ID."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from local.wait import wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.scene import JOB_ID, Scene, ago

AWS = ["secretsmanager GetSecretValue", "secretsmanager PutSecretValue", "sns Publish"]
AWS += ["scheduler GetSchedule", "scheduler DeleteSchedule"]
POINTS = [*((point, False) for point in AWS), *((point, True) for point in [*AWS, "accounts", "crm"])]


@contextmanager
def held(scene: Scene, point: str, processed: bool) -> Iterator[Callable[[], None]]:
    """Hold the next request, before or after it was processed; yields a wait for it."""
    if " " not in point:
        scene.zoho.fault("stall-in-body", side=point)
        yield lambda: wait_until(lambda: scene.zoho.stats(records=False).requests[point], f"a request to {point}")
        return
    before = len(scene.stack.calls(*point.split()))
    how = {"kind": "stall"} if processed else {"hold": True}
    with scene.stack.fail_aws(*point.split(), status=None, times=1, **how):

        def arrived() -> bool:
            return any(call.status or not processed for call in scene.stack.calls(*point.split())[before:])

        yield lambda: wait_until(arrived, point)


@pytest.mark.parametrize("interruption", ["kill", "freeze"])
@pytest.mark.parametrize(("point", "processed"), POINTS)
def test_an_interruption(make_scene, point, processed, interruption):
    # A short timeout makes a short claim, after which another process can request a token.
    scene = make_scene(REFRESH_TOKEN_SECRET, env={"REQUEST_TIMEOUT_SECONDS": "2"})
    scene.finished_job()
    began = ago(seconds=5)
    schedule = scene.create_schedule(first_checked_at=began)
    request = {"module": "Leads", "job_id": JOB_ID, "schedule_arn": schedule, "first_checked_at": began}
    with held(scene, point, processed) as wait_until_held:
        sent = scene.fn.invoke_event(request)
        wait_until_held()
        environment = scene.fn.environments[0]
        if interruption == "kill":
            environment.kill()
        else:
            environment.signal(signal.SIGSTOP)
            # The other side gives up meanwhile, as it does during a real freeze.
            scene.zoho.clear_faults()
            scene.stack.clear_faults()
            environment.signal(signal.SIGCONT)
        attempts = sent.wait()
    assert (attempts[0].error_type == "Runtime.ExitError") == (interruption == "kill")
    assert attempts[-1].ok, attempts[-1].error_message
    if attempts[-1].payload["outcome"] is None:  # a request that timed out is repeated by the next firing
        assert scene.fn.invoke(request).ok
    event_ids = {message["MessageAttributes"]["event_id"]["Value"] for message in scene.received()}
    assert event_ids == {f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"}
    assert scene.schedule(schedule) is None
