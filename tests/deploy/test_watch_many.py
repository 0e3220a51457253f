"""The state machines that watch a list of jobs: most with a function that responds by a script."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.deployment import Deployment, quicken
from tests.deploy.reports import failed_report, final_report

COUNT = ["Wait for final counts", "Find map run", "Count jobs", "All counted?", "Compose summary", "Compose message"]
END = ["Announce result", "How did it end?"]
GOOD = {"report": final_report()}


def jobs(*numbers: int) -> list[dict[str, str]]:
    return [{"module": "Leads", "job_id": str(number)} for number in numbers]


def put_list(deployment: Deployment, name: str, text: str) -> dict[str, Any]:
    """A request for the list that a file of this text holds."""
    bucket = deployment.template.references["JobsBucket"]
    deployment.stack.client("s3").put_object(Bucket=bucket, Key=f"monday/{name}", Body=text)
    return {"jobs_file": {"bucket": bucket, "key": f"monday/{name}"}}


def results(deployment: Deployment, summary: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The files with the results, by status."""
    s3 = deployment.stack.client("s3")

    def read(key: str) -> Any:
        return json.load(s3.get_object(Bucket=summary["results"]["bucket"], Key=key)["Body"])

    manifest = read(summary["results"]["key"])
    return {
        status: [result for file in files for result in read(file["Key"])]
        for status, files in manifest["ResultFiles"].items()
    }


@pytest.fixture
def bucket(deploy: Callable[..., Deployment], stack: Any) -> str:
    name = stack.unique("lists")
    stack.client("s3").create_bucket(Bucket=name)
    return name


def test_each_job_is_watched_and_the_counts_add_up(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub(GOOD, GOOD, {"report": final_report("PARTIALLY_SUCCEEDED")}, GOOD, ToleratedFailures=1)
    execution = deployment.watch_many({"jobs": jobs(1, 2, 3, 4)})

    assert execution.status == "SUCCEEDED"
    assert execution.states[-len(COUNT + END) - 1 :] == [*COUNT, *END, "List completed"]
    assert len(deployment.executions()) == 4
    *ends, summary = deployment.published()
    assert len(ends) == 4
    assert summary.subject == "Zoho CRM owner changes: 3 of 4 jobs succeeded"
    assert summary.values["outcome"] == "SUMMARY"
    assert summary.report == execution.output
    assert (summary.report["jobs"], summary.report["succeeded"], summary.report["unsuccessful"]) == (4, 3, 1)
    assert summary.report["ended"] == summary.report["jobs"]
    assert summary.report["results"] is None


BAD = [{"module": "Leads"}, {"job_id": "1"}, {"module": "Leads", "job_id": 5}, {}, "nonsense", None, 7, []]


@pytest.mark.parametrize(
    ("name", "text", "bad"),
    [
        ("jobs.json", json.dumps([*jobs(1, 2), *BAD]), len(BAD)),
        ("jobs.csv", "module,job_id\nLeads,1\nLeads,2\n", 0),
    ],
)
def test_jobs_from_a_file(deploy_stub: Callable[..., Deployment], bucket: str, name: str, text: str, bad: int) -> None:
    """With bad ones of every kind, which are not sent to the function."""
    deployment = deploy_stub({"report": failed_report("JobNotFound")}, GOOD, JobsBucket=bucket)
    execution = deployment.watch_many(put_list(deployment, name, text))
    assert execution.error == "ToleratedFailuresExceeded"
    summary = json.loads(execution.cause)
    assert (summary["jobs"], summary["succeeded"], summary["unsuccessful"]) == (2 + bad, 1, 1 + bad)
    files = results(deployment, summary)
    assert [len(files[status]) for status in ("SUCCEEDED", "FAILED", "PENDING")] == [1, 1 + bad, 0]
    errors = [json.loads(result["Cause"])["Error"] for result in files["FAILED"]]
    assert sorted(errors) == ["InvalidInput"] * bad + ["JobNotFound"]


def test_only_the_summary_is_announced_on_request(deploy_stub: Callable[..., Deployment]) -> None:
    """More unsuccessful jobs than tolerated fail the list."""
    deployment = deploy_stub(GOOD, {"report": final_report("FAILED")})
    execution = deployment.watch_many({"jobs": jobs(1, 2), "notify_each": False})
    assert execution.error == "ToleratedFailuresExceeded"
    (summary,) = deployment.published()
    assert summary.values["outcome"] == "SUMMARY"
    assert json.loads(execution.cause) == summary.report


def test_what_is_not_a_list_is_rejected_and_announced_before_anything_starts(
    deploy_stub: Callable[..., Deployment],
) -> None:
    deployment = deploy_stub(GOOD)
    requests = [
        {},
        [],
        "jobs",
        {"jobs": []},
        {"jobs": "none"},
        {"jobs": jobs(*range(1001))},
        {"jobs_file": {"bucket": "lists"}},
        {"jobs_file": {"bucket": "lists", "key": "jobs.xlsx"}},
        {"jobs_file": {"bucket": 1, "key": "jobs.csv"}},
        {"jobs_file": {"bucket": "lists", "key": 1}},
    ]
    for execution in [deployment.watch_many(request) for request in requests]:
        assert (execution.status, execution.error) == ("FAILED", "InvalidInput")
        assert "1,000 jobs" in execution.cause
    rejected = {"Error": execution.error, "Cause": execution.cause}
    assert [message.report for message in deployment.published()] == [rejected] * len(requests)
    assert deployment.executions() == []


@pytest.mark.parametrize(
    ("name", "error"), [("no-such-file.json", "s3.NoSuchKeyException"), ("not-json.json", "LIST_FAILED")]
)
def test_a_file_that_cannot_be_read_is_announced(
    deploy_stub: Callable[..., Deployment], bucket: str, name: str, error: str
) -> None:
    deployment = deploy_stub(GOOD, JobsBucket=bucket)
    request = put_list(deployment, "not-json.json", "not JSON")
    request["jobs_file"]["key"] = f"monday/{name}"
    execution = deployment.watch_many(request)
    assert (execution.status, execution.error) == ("FAILED", error)
    (message,) = deployment.published()
    assert message.values["outcome"] == "SUMMARY"
    assert message.report["Error"] in (error, "States.Runtime")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jobs.csv", "Module,Job_ID\nLeads,1"),
        ("jobs.csv", "module;job_id\nLeads;1"),
        ("jobs.csv", "\ufeffmodule,job_id\nLeads,1"),
        ("jobs.csv", "Leads,1\nLeads,2"),
        ("jobs.csv", "module,job_ids\nLeads,1"),
        ("jobs.csv", json.dumps(jobs(1))),
        ("jobs.json", json.dumps({"jobs": jobs(1)})),
    ],
)
def test_a_file_that_does_not_begin_as_a_list_is_announced_once_with_its_cause(
    deploy_stub: Callable[..., Deployment], bucket: str, name: str, text: str
) -> None:
    deployment = deploy_stub(GOOD, JobsBucket=bucket)
    execution = deployment.watch_many(put_list(deployment, name, text))
    assert (execution.status, execution.error) == ("FAILED", "InvalidInput")
    (message,) = deployment.published()
    for part in ("The first line of a .csv file must be module,job_id", "must be an array", execution.arn):
        assert part in message.texts["email"]
    assert deployment.executions() == []


def test_each_watch_has_the_list_and_the_label_under_a_name_that_is_its_own(
    deploy_stub: Callable[..., Deployment],
) -> None:
    """Also a job that was watched before, and one that is listed twice."""
    deployment = deploy_stub(GOOD)
    deployment.watch(jobs(1)[0], name="Leads-1").wait()
    listed = [*jobs(1, 1), {"module": "Leads", "job_id": "2", "label": "of the job"}]
    execution = deployment.watch_many({"jobs": listed, "label": "of the list"})
    assert execution.status == "SUCCEEDED"
    _, *watches = deployment.executions()
    inputs = sorted((json.loads(watch.ended["input"]) for watch in watches), key=lambda one: one["job_id"])
    common = {"module": "Leads", "notify": True, "list": execution.arn.rsplit(":", 1)[1]}
    expected = [("1", "of the list"), ("1", "of the list"), ("2", "of the job")]
    assert inputs == [{**common, "job_id": job_id, "label": label} for job_id, label in expected]


@pytest.mark.parametrize(
    ("count", "error", "counted"),
    [
        ({"open.$": "States.MathAdd($.ItemCounts.Total, 0)"}, None, 3),
        ({"jobs.$": "States.MathAdd($.ItemCounts.Total, 1)"}, "JobsUnaccountedFor", 1),
    ],
    ids=["a job that seems open for good", "a job that nobody counted"],
)
def test_counts_that_do_not_add_up_are_read_again_or_fail_the_list(
    deploy_stub: Callable[..., Deployment], count: dict[str, str], error: str | None, counted: int
) -> None:
    def miscount(machine: dict[str, Any]) -> dict[str, Any]:
        """As if the counts lagged behind, or a child execution had been aborted: moto does neither."""
        if state := machine["States"].get("Count jobs"):
            state["ResultSelector"].update(count)
            machine["States"]["All counted?"]["Choices"][0]["And"][1]["NumericLessThan"] = 2
        return quicken(machine)

    execution = deploy_stub(GOOD, alter=miscount).watch_many({"jobs": jobs(1)}).wait()
    assert execution.error == error
    assert execution.states.count("Count jobs") == counted


def test_a_watch_that_is_stopped_is_counted_and_does_not_end_the_list(
    deploy_stub: Callable[..., Deployment], bucket: str
) -> None:
    deployment = deploy_stub({"sleep": 5, **GOOD}, JobsBucket=bucket)
    execution = deployment.watch_many(put_list(deployment, "jobs.json", json.dumps(jobs(1))))
    while not (watches := deployment.executions()):
        pass
    watches[0].wait_for("TaskScheduled")
    deployment.stack.client("stepfunctions").stop_execution(executionArn=watches[0].arn)
    assert execution.error == "ToleratedFailuresExceeded"
    (failed,) = results(deployment, json.loads(execution.cause))["FAILED"]
    assert json.loads(failed["Cause"])["Error"] == "NotWatchedToTheEnd"


def test_stopping_a_list_leaves_its_watches_running(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub({"sleep": 2, **GOOD})
    execution = deployment.watch_many({"jobs": jobs(1)})
    while not (watches := deployment.executions()):
        pass
    watches[0].wait_for("TaskScheduled")
    deployment.stack.client("stepfunctions").stop_execution(executionArn=execution.arn)
    assert execution.status == "ABORTED"
    assert watches[0].status == "SUCCEEDED"
    assert deployment.outcomes() == ["SUCCEEDED"]


def test_concurrency_is_what_the_parameter_says(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub(GOOD, MaxConcurrency=1)
    assert deployment.watch_many({"jobs": jobs(1, 2, 3)}).status == "SUCCEEDED"
    histories = [watch.history for watch in deployment.executions()]
    assert all(one[-1]["timestamp"] <= next_[0]["timestamp"] for one, next_ in itertools.pairwise(histories))


def test_a_summary_that_cannot_be_announced_is_kept(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub(GOOD)
    with deployment.stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"):
        execution = deployment.watch_many({"jobs": jobs(1), "notify_each": False}).wait()
    assert (execution.status, execution.error) == ("FAILED", "NotificationFailed")
    (letter,) = deployment.dead_letters()
    assert letter["execution"] == execution.arn
    assert json.loads(json.loads(letter["announcement"]["message"])["default"])["jobs"] == 1
