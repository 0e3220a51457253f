"""The state machine that watches a list of jobs, each by an execution of the one that watches a job."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.deployment import Deployment

UNKNOWN_JOB = {"module": "Leads", "job_id": "3652397000000000001"}


def start_jobs(deployment: Deployment, count: int, **how: Any) -> list[dict[str, str]]:
    zoho = deployment.stack.zoho.control
    return [{"module": "Leads", "job_id": zoho.start_job(total=100, **how)} for _ in range(count)]


def test_25_jobs_at_once_with_one_that_does_not_exist(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(ToleratedFailures=1)
    jobs = [
        *start_jobs(deployment, 20, run_seconds=0),
        *start_jobs(deployment, 2, run_seconds=2),
        *start_jobs(deployment, 1, run_seconds=0, failed=7),
        *start_jobs(deployment, 1, run_seconds=0, shape="fails-half-way"),
    ]
    jobs.insert(12, UNKNOWN_JOB)

    execution = deployment.watch_many({"jobs": jobs})

    assert (execution.status, execution.error) == ("FAILED", "ToleratedFailuresExceeded")
    watches = deployment.executions()
    assert {watch.arn.rsplit(":", 1)[1] for watch in watches} == {f"Leads-{job['job_id']}" for job in jobs}
    messages = deployment.messages()
    assert len(messages) == 25 + 1
    summary = messages[-1]
    assert summary.subject == "Zoho CRM owner changes: 22 of 25 jobs succeeded"
    assert summary.attributes["outcome"] == "SUMMARY"
    counts = {key: value for key, value in summary.body.items() if isinstance(value, int)}
    assert counts == {
        "jobs": 25,
        "succeeded": 22,
        "partially_succeeded": 1,
        "failed": 1,
        "timed_out": 0,
        "watch_failed": 1,
    }
    assert summary.body["watch_failed_jobs"] == [{"job": UNKNOWN_JOB, "error": "JobNotFound"}]
    (partial,) = summary.body["partially_succeeded_jobs"]
    assert (partial["updated_count"], partial["failed_count"]) == (93, 7)
    assert json.loads(execution.cause) == summary.body
    assert deployment.stack.zoho.control.stats().tokens_minted == 1


def test_tolerated_failures_are_no_failure(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(ToleratedFailures=1)
    execution = deployment.watch_many({"jobs": [UNKNOWN_JOB, *start_jobs(deployment, 1, run_seconds=0)]})
    assert execution.status == "SUCCEEDED"
    assert execution.output == deployment.messages()[-1].body
    assert execution.output["watch_failed"] == 1


def test_concurrency_is_what_the_parameter_says(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(MaxConcurrency=1)
    assert deployment.watch_many({"jobs": start_jobs(deployment, 3, run_seconds=0)}).status == "SUCCEEDED"
    spans = []
    for watch in deployment.executions():
        history = watch.history
        spans.append((history[0]["timestamp"], history[-1]["timestamp"]))
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def put_list(deployment: Deployment, text: str) -> dict[str, Any]:
    """A request for the list that a file of this text holds."""
    bucket = deployment.stack.unique("lists-of-jobs")
    s3 = deployment.stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="monday/jobs.json", Body=text)
    return {"jobs_file": {"bucket": bucket, "key": "monday/jobs.json"}}


def test_jobs_from_a_file(deployment: Deployment) -> None:
    execution = deployment.watch_many(put_list(deployment, json.dumps(start_jobs(deployment, 3, run_seconds=0))))
    assert execution.status == "SUCCEEDED"
    assert execution.output["succeeded"] == 3


def test_a_file_without_jobs_is_refused(deployment: Deployment) -> None:
    execution = deployment.watch_many(put_list(deployment, "{}"))
    assert (execution.status, execution.error) == ("FAILED", "InvalidInput")


@pytest.mark.parametrize(("text", "error"), [(None, "s3."), ("no JSON", "WATCH_FAILED")])
def test_a_file_that_cannot_be_read_is_announced(deployment: Deployment, text: str | None, error: str) -> None:
    request = put_list(deployment, text) if text else {"jobs_file": {"bucket": "no-such-bucket", "key": "jobs.json"}}
    execution = deployment.watch_many(request)
    assert execution.status == "FAILED"
    assert execution.error.lower().startswith(error.lower())
    (message,) = deployment.messages()
    assert message.attributes["outcome"] == "SUMMARY"
    assert json.loads(execution.cause) == message.body


def test_no_jobs_are_refused(deployment: Deployment) -> None:
    for nothing in ({}, {"jobs": []}, {"jobs": "none"}, []):
        execution = deployment.watch_many(nothing)
        assert (execution.status, execution.error) == ("FAILED", "InvalidInput")


def test_a_job_that_was_watched_before_is_watched_again(deployment: Deployment) -> None:
    (job,) = start_jobs(deployment, 1, run_seconds=0)
    deployment.watch(job, name=f"Leads-{job['job_id']}").wait()
    execution = deployment.watch_many({"jobs": [job]})
    assert execution.status == "SUCCEEDED"
    assert len(deployment.executions()) == 2


def test_jobs_that_give_no_name_are_watched_all_the_same(deployment: Deployment) -> None:
    job_id = deployment.stack.zoho.control.start_job(module="Price_Books", run_seconds=0)
    jobs = [{"module": "Price Books", "job_id": job_id}, {"job_id": 5}, "nonsense"]
    execution = deployment.watch_many({"jobs": jobs})
    assert execution.error == "ToleratedFailuresExceeded"
    summary = json.loads(execution.cause)
    assert summary["succeeded"] == 1
    assert [watch["job"] for watch in summary["watch_failed_jobs"]] == jobs[1:]


def test_a_watch_beyond_its_limit_is_counted_as_such(deploy_stub: Callable[..., Deployment]) -> None:
    plain = {"module": "Leads", "job_id": "1", "outcome": "WATCH_TIMED_OUT", "checks": 9, "next_check_seconds": None}
    message = json.dumps({"default": json.dumps(plain)})
    announcement = {"subject": "x", "message": message, "attributes": {}}
    deployment = deploy_stub({"report": {**plain, "announcement": announcement}})
    execution = deployment.watch_many({"jobs": [{"module": "Leads", "job_id": "1"}]})
    assert json.loads(execution.cause)["timed_out_jobs"] == [{"job": {"module": "Leads", "job_id": "1"}}]


def test_a_summary_that_cannot_be_announced_is_no_success(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub({"error": ["JobNotFound", "none"]}, ToleratedFailures=1)
    with deployment.stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"):
        execution = deployment.watch_many({"jobs": [UNKNOWN_JOB]}).wait()
    assert (execution.status, execution.error) == ("FAILED", "NotificationFailed")
