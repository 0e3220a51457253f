"""One process for many invocations: its memory, files, and threads stay the same."""

from __future__ import annotations

import os

from tests.e2e.process import MIB, Usage
from tests.e2e.scene import JOB_ID, Scene

INVOCATIONS = 10_000 if "ALL_FAULTS" in os.environ else 1_500
# After this many, caches and buffers have their size.
WARM_UP = 500
# lambda_runtime sets an environment variable to each trace ID, and glibc never frees the values of variables: 111 bytes
# per invocation. With a constant trace ID, the resident memory is the same after 2,000 and after 10,000 invocations.
TRACE_ID_BYTES = 160


def invoke(scene: Scene, times: int) -> None:
    """Checks and errors of each kind, in turn."""
    requests = [
        {"module": "Leads", "job_id": JOB_ID},
        {"module": "Leads", "job_id": "404"},
        {"module": "Leeds", "job_id": JOB_ID},
        {"module": "Leads"},
        {"module": "Leads", "job_id": JOB_ID, "x": ["y" * 1_000] * 100},
    ]
    for number in range(times):
        scene.fn.invoke(requests[number % len(requests)])


def test_resource_use_stays_flat(scene):
    scene.running_job()
    invoke(scene, WARM_UP)
    (environment,) = scene.fn.environments
    before = Usage.of(environment.pid)
    invoke(scene, INVOCATIONS - WARM_UP)
    after = Usage.of(environment.pid)
    assert scene.fn.cold_starts == 1
    assert scene.fn.invocations == INVOCATIONS
    assert after.resident - before.resident < MIB // 2 + TRACE_ID_BYTES * (INVOCATIONS - WARM_UP)
    assert (after.files, after.threads) == (before.files, before.threads)
