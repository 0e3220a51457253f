"""Kills and freezes at every request of a watch that ends: Lambda's retry ends it, with one event ID."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from local.wait import wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.scene import JOB_ID, Scene


@contextmanager
def held_by_zoho(scene: Scene, side: str, kind: str) -> Iterator[Callable[[], None]]:
    """Hold the next request to Zoho: before or, with `stall-in-body`, after it was processed."""
    scene.zoho.fault(kind, side=side)
    yield lambda: wait_until(lambda: scene.zoho.stats(records=False).requests[side], f"a request to {side}")


@contextmanager
def held_by_aws(scene: Scene, service: str, action: str, processed: bool) -> Iterator[Callable[[], None]]:
    """Hold the next request for an action: before or after AWS processed it."""
    before = len(scene.stack.calls(service, action))
    how = {"kind": "stall"} if processed else {"hold": True}
    with scene.stack.fail_aws(service, action, status=None, times=1, **how):

        def arrived() -> bool:
            calls = scene.stack.calls(service, action)[before:]
            return any(call.status is not None or not processed for call in calls)

        yield lambda: wait_until(arrived, f"{service}:{action}")


POINTS: dict[str, Callable[[Scene], AbstractContextManager[Callable[[], None]]]] = {
    "GetSecretValue": lambda scene: held_by_aws(scene, "secretsmanager", "GetSecretValue", False),
    "GetSecretValue, processed": lambda scene: held_by_aws(scene, "secretsmanager", "GetSecretValue", True),
    "PutSecretValue": lambda scene: held_by_aws(scene, "secretsmanager", "PutSecretValue", False),
    "PutSecretValue, processed": lambda scene: held_by_aws(scene, "secretsmanager", "PutSecretValue", True),
    "token request": lambda scene: held_by_zoho(scene, "accounts", "stall"),
    "token response": lambda scene: held_by_zoho(scene, "accounts", "stall-in-body"),
    "status request": lambda scene: held_by_zoho(scene, "crm", "stall"),
    "status response": lambda scene: held_by_zoho(scene, "crm", "stall-in-body"),
    "Publish": lambda scene: held_by_aws(scene, "sns", "Publish", False),
    "Publish, processed": lambda scene: held_by_aws(scene, "sns", "Publish", True),
    "DeleteSchedule": lambda scene: held_by_aws(scene, "scheduler", "DeleteSchedule", False),
    "DeleteSchedule, processed": lambda scene: held_by_aws(scene, "scheduler", "DeleteSchedule", True),
}


@pytest.fixture
def ended(make_scene) -> tuple[Scene, dict[str, str]]:
    """A function for a job that has finished, and the request of its schedule."""
    # A short timeout makes a short lease, after which another process can mint a token.
    scene = make_scene(REFRESH_TOKEN_SECRET, env={"REQUEST_TIMEOUT_SECONDS": "2"})
    scene.finished_job()
    return scene, {"module": "Leads", "job_id": JOB_ID, "schedule_arn": scene.create_schedule()}


def assert_ended_once(scene: Scene, schedule: str) -> None:
    event_ids = [message["MessageAttributes"]["event_id"]["Value"] for message in scene.received()]
    assert set(event_ids) == {f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"}
    assert not scene.schedule_exists(schedule)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill(ended, point):
    scene, request = ended
    with POINTS[point](scene) as wait_until_held:
        sent = scene.fn.invoke_event(request)
        wait_until_held()
        scene.fn.environments[0].kill()
        attempts = sent.wait()
    assert attempts[0].error_type == "Runtime.ExitError"
    assert attempts[-1].ok, attempts[-1].error_message
    assert_ended_once(scene, request["schedule_arn"])


@pytest.mark.parametrize("point", POINTS)
def test_a_freeze(ended, point):
    scene, request = ended
    with POINTS[point](scene) as wait_until_held:
        sent = scene.fn.invoke_event(request)
        wait_until_held()
        environment = scene.fn.environments[0]
        environment.signal(signal.SIGSTOP)
        # The other side gives up meanwhile, as it does during a real freeze.
        scene.zoho.clear_faults()
        scene.stack.clear_faults()
        environment.signal(signal.SIGCONT)
        attempts = sent.wait()
    assert attempts[-1].ok, attempts[-1].error_message
    assert_ended_once(scene, request["schedule_arn"])
