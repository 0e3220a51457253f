"""A long list in a file, with bad jobs of every kind, watched by the packaged function.

LIST_OF_JOBS sets how many jobs: 40 in the gate, because each takes half a second of a processor.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from local.deployment import Deployment, quicken
from local.stack import Stack
from tests.deploy.test_watch_many import put_list, results

JOBS = int(os.environ.get("LIST_OF_JOBS", "40"))


def quicken_waits(machine: dict[str, Any]) -> dict[str, Any]:
    """Retries stay as they are: a busy processor throttles many."""
    states = machine["States"].items()
    return {**machine, "States": {name: quicken(one) if one["Type"] == "Wait" else one for name, one in states}}


def test_a_list_of_many_jobs_with_bad_ones_of_every_kind(deploy: Callable[..., Deployment], stack: Stack) -> None:
    def start(**how: Any) -> dict[str, str]:
        return {"module": "Leads", "job_id": stack.zoho.control.start_job(total=100, run_seconds=0, **how)}

    kinds: dict[str, Callable[[int], Any]] = {
        "PARTIALLY_SUCCEEDED": lambda _: start(failed=7),
        "FAILED": lambda _: start(shape="fails-half-way"),
        "JobNotFound": lambda number: {"module": "Leads", "job_id": str(9 * 10**17 + number)},
        "InvalidModule": lambda number: {"module": "NoSuchModule", "job_id": str(9 * 10**17 + number)},
        "InvalidInput": lambda number: {"module": "Custom", "job_id": str(number)},
    }
    pattern = itertools.cycle([*kinds, *["SUCCEEDED"] * 15])
    expected = list(itertools.islice(pattern, JOBS))
    jobs = [kinds[kind](number) if kind in kinds else start() for number, kind in enumerate(expected)]
    stack.client("s3").create_bucket(Bucket=(bucket := stack.unique("lists")))
    deployment = deploy(alter=quicken_waits, JobsBucket=bucket)

    execution = deployment.watch_many({**put_list(deployment, "jobs.json", json.dumps(jobs)), "notify_each": False})
    execution.wait(seconds=60 + JOBS * 5)

    summary = json.loads(execution.cause)
    assert execution.error == "ToleratedFailuresExceeded"
    succeeded = expected.count("SUCCEEDED")
    counts = [summary[key] for key in ("jobs", "ended", "succeeded", "unsuccessful")]
    assert counts == [JOBS, JOBS, succeeded, JOBS - succeeded]
    files = results(deployment, summary)
    found = Counter(json.loads(result["Cause"])["Error"] for result in files["FAILED"])
    assert found + Counter(SUCCEEDED=len(files["SUCCEEDED"])) == Counter(expected)
    assert deployment.outcomes() == ["SUMMARY"]
    assert max(len(event.get("stateEnteredEventDetails", {}).get("input", "")) for event in execution.history) < 8_000
