"""A long list in a file, with bad jobs of every kind, watched by the packaged function.

LIST_OF_JOBS sets how many jobs: 100 in the gate, where each takes about 0.3 s of a processor.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from local.deployment import Deployment
from local.stack import Stack

JOBS = int(os.environ.get("LIST_OF_JOBS", "100"))


def kinds(stack: Stack) -> dict[str, Callable[[int], Any]]:
    """How to make a job of each kind. The names are what the result of such a job shows."""

    def start(**how: Any) -> dict[str, str]:
        return {"module": "Leads", "job_id": stack.zoho.control.start_job(total=100, run_seconds=0, **how)}

    return {
        "PARTIALLY_SUCCEEDED": lambda _: start(failed=7),
        "FAILED": lambda _: start(shape="fails-half-way"),
        "JobNotFound": lambda number: {"module": "Leads", "job_id": str(9 * 10**17 + number)},
        "InvalidModule": lambda number: {"module": "NoSuchModule", "job_id": str(9 * 10**17 + number)},
        "InvalidInput: a number": lambda number: {"module": "Leads", "job_id": number},
        "InvalidInput: a placeholder": lambda number: {"module": "Custom", "job_id": str(number)},
        "InvalidInput: no module": lambda number: {"job_id": str(number)},
        "InvalidInput: not an object": lambda number: f"job {number}",
        **{f"SUCCEEDED {number}": lambda _: start() for number in range(12)},
    }


def quicken_counting(machine: dict[str, Any]) -> dict[str, Any]:
    if wait := machine["States"].get("Wait for final counts"):
        wait["Seconds"] = 1
    return machine


def test_a_list_of_many_jobs_with_bad_ones_of_every_kind(deploy: Callable[..., Deployment], stack: Stack) -> None:
    stack.client("s3").create_bucket(Bucket=(bucket := stack.unique("lists")))
    made = list(kinds(stack).items())
    jobs = [(made[number % len(made)][0], made[number % len(made)][1](number)) for number in range(JOBS)]
    stack.client("s3").put_object(Bucket=bucket, Key="jobs.json", Body=json.dumps([job for _, job in jobs]))
    deployment = deploy(alter=quicken_counting, JobsBucket=bucket)

    execution = deployment.watch_many({"jobs_file": {"bucket": bucket, "key": "jobs.json"}, "notify_each": False})
    execution.wait(seconds=JOBS * 2)

    expected = Counter(kind.split(":")[0].split(" ")[0] for kind, _ in jobs)
    summary = json.loads(execution.cause)
    assert execution.error == "ToleratedFailuresExceeded"
    assert summary["jobs"] == summary["ended"] == JOBS
    assert summary["succeeded"] == expected["SUCCEEDED"]
    assert summary["unsuccessful"] == JOBS - expected["SUCCEEDED"]
    s3 = stack.client("s3")
    manifest = json.load(s3.get_object(Bucket=bucket, Key=summary["results"]["key"])["Body"])
    results = [
        result
        for files in manifest["ResultFiles"].values()
        for file in files
        for result in json.load(s3.get_object(Bucket=bucket, Key=file["Key"])["Body"])
    ]
    found = Counter(
        "SUCCEEDED" if result["Status"] == "SUCCEEDED" else json.loads(result["Cause"])["Error"] for result in results
    )
    assert found == expected
    assert deployment.outcomes() == ["SUMMARY"]
    assert stack.zoho.control.stats(records=False).tokens_minted == 1
    assert max(len(event.get("stateEnteredEventDetails", {}).get("input", "")) for event in execution.history) < 8_000
