"""The definitions that ship, in an interpreter that shares nothing with moto's: the same scenarios, the same ends.

The interpreter, aws-local-stepfunctions, has gaps of its own. `portable` removes what it lacks. For each, there is a
recording of the real service by the LocalStack project (in tests/aws/services/stepfunctions/v2 of its repository):

| construct | here | on AWS | recording |
|---|---|---|---|
| an intrinsic function as CausePath | States.Runtime | evaluated | base: test_state_fail_intrinsic |
| JsonToString | does not escape quotes | escapes them | intrinsic_functions: test_json_to_string |
| a map with failed items | fails | tolerates them | scenarios: tolerated_failure_percentage_path[100] |
| ItemReader | unknown | reads S3 | scenarios: test_map_item_reader_base_json and ..._csv_headers_first_line |
| ResultWriter | unknown | writes S3 | scenarios: test_map_state_result_writer |
| `$` of the input `null` | States.Runtime | ? | none. If AWS agrees, the EventBridge rule reports the execution |
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.deployment import template
from local.deployment.template import ROOT, definition
from tests.deploy.node import run_node
from tests.deploy.reports import failed_report, final_report
from tests.deploy.scenarios import SCENARIOS, Scenario

CONTEXT = {
    "Execution": {"Id": "arn:aws:states:us-east-1:123456789012:execution:zoho-watch:a-watch", "Name": "a-watch"},
    "StateMachine": {"Id": "arn:aws:states:us-east-1:123456789012:stateMachine:zoho-watch"},
}


def portable(resource: str) -> dict[str, Any]:
    """A definition without what this interpreter lacks."""
    machine = json.loads(definition(resource, template.resolve()))
    for state in machine["States"].values():
        if state.get("CausePath", "").startswith("States."):
            del state["CausePath"]
        for retrier in state.get("Retry", []):
            retrier["MaxAttempts"] = min(retrier["MaxAttempts"], 1)
            retrier.pop("JitterStrategy", None)
    return machine


def function(step: dict[str, Any]) -> dict[str, Any]:
    """A step of a scripted function, as the task sees it."""
    if "error" in step:
        error, message = step["error"]
        return {"error": error, "cause": json.dumps({"errorType": error, "errorMessage": message})}
    return {"result": {"Payload": step["report"]}}


def case(scenario: Scenario) -> dict[str, Any]:
    denied = {"error": "SNS.AuthorizationErrorException", "cause": "denied"}
    # The failure that the function describes is the one that the scenario makes.
    error = scenario.error or "none"
    described = failed_report(error)
    return {
        "definition": portable("WatchStateMachine"),
        "input": scenario.request,
        "context": CONTEXT,
        "tasks": {
            "Check status": [function(step) for step in scenario.script],
            "Compose failure": [function(scenario.compose or {"report": described})],
            "Send notice": [denied if scenario.sns_denies else {"result": {"MessageId": "1"}}],
            "Announce end": [denied if scenario.sns_denies else {"result": {"MessageId": "1"}}],
            "Send to dead-letter queue": [denied if scenario.sqs_denies else {"result": {}}],
            "Continue in a new execution": [{"result": {"ExecutionArn": "arn:successor"}}],
        },
    }


COMMON = [scenario for scenario in SCENARIOS if scenario.request is not None]


@pytest.fixture(scope="module")
def watched() -> dict[str, dict[str, Any]]:
    """What happened in each scenario; one run of Node.js for all."""
    results = run_node(
        ROOT / "tests/deploy/javascript/run.mjs", text=json.dumps([case(scenario) for scenario in COMMON])
    )
    return {scenario.name: result for scenario, result in zip(COMMON, json.loads(results), strict=True)}


@pytest.mark.parametrize("scenario", COMMON, ids=lambda scenario: scenario.name)
def test_a_watch_ends_as_in_the_first_interpreter(watched: dict[str, dict[str, Any]], scenario: Scenario) -> None:
    result = watched[scenario.name]
    assert result["states"] == scenario.states
    assert result.get("error") == scenario.error
    published = result["calls"]["Announce end"]
    if scenario.announced:
        (message,) = published
        assert message["MessageAttributes"]["outcome"]["StringValue"] == scenario.announced
    elif not scenario.sns_denies:
        assert published == []
    if not scenario.sns_denies:
        assert len(result["calls"]["Send notice"]) == scenario.notices
    assert len(result["calls"]["Send to dead-letter queue"]) >= scenario.dead_letters
    first = result["calls"]["Check status"][0]["Payload"]
    assert first == {"request": scenario.request, "watch": "a-watch", "announcement": True, "notify": False}


# ---- a job of a list ----------------------------------------------------------------------------------------------

JOB = {"module": "Leads", "job_id": "1"}
EXISTS = {"error": "StepFunctions.ExecutionAlreadyExistsException", "cause": "name taken"}


def ended(outcome: str) -> dict[str, Any]:
    return {"result": {"ExecutionArn": "arn:watch", "Output": {**final_report(outcome)}}}


def failed(document: dict[str, Any]) -> dict[str, Any]:
    return {"error": "States.TaskFailed", "cause": json.dumps(document, separators=(",", ":"))}


LISTED = {
    "succeeds": (
        JOB,
        True,
        [ended("SUCCEEDED")],
        [],
        ["Valid job?", "Watch job", "Job succeeded?", "Job succeeded"],
        None,
    ),
    "succeeds in part": (
        JOB,
        True,
        [ended("PARTIALLY_SUCCEEDED")],
        [],
        ["Valid job?", "Watch job", "Job succeeded?", "Job did not succeed completely"],
        "PARTIALLY_SUCCEEDED",
    ),
    "fails": (
        JOB,
        True,
        [failed({"Error": "JobNotFound", "Cause": "none", "Status": "FAILED"})],
        [],
        ["Valid job?", "Watch job", "Did the watch fail?", "Read failure of the watch", "Job failed or watch failed"],
        "JobNotFound",
    ),
    "is stopped": (
        JOB,
        True,
        [failed({"Status": "ABORTED"})],
        [],
        ["Valid job?", "Watch job", "Did the watch fail?", "Job not watched to its end"],
        "NotWatchedToTheEnd",
    ),
    "was watched before": (
        JOB,
        True,
        [EXISTS],
        [ended("SUCCEEDED")],
        ["Valid job?", "Watch job", "Watch job under a new name", "Job succeeded?", "Job succeeded"],
        None,
    ),
    "is watched quietly": (
        JOB,
        False,
        [],
        [ended("SUCCEEDED")],
        ["Valid job?", "Watch job under a new name", "Job succeeded?", "Job succeeded"],
        None,
    ),
    "is not valid": ({"module": "Leads", "job_id": 1}, True, [], [], ["Valid job?", "Invalid job"], "InvalidInput"),
    "is not an object": ("nonsense", True, [], [], ["Valid job?", "Invalid job"], "InvalidInput"),
}


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, Any]]:
    cases = [
        {
            "definition": portable("WatchListedJobStateMachine"),
            "input": {"job": job, "notify": notify},
            "context": CONTEXT,
            "tasks": {"Watch job": watch or [EXISTS], "Watch job under a new name": again or [EXISTS]},
        }
        for job, notify, watch, again, _, _ in LISTED.values()
    ]
    results = run_node(ROOT / "tests/deploy/javascript/run.mjs", text=json.dumps(cases))
    return dict(zip(LISTED, json.loads(results), strict=True))


@pytest.mark.parametrize("name", LISTED)
def test_a_job_of_a_list(listed: dict[str, dict[str, Any]], name: str) -> None:
    *_, states, error = LISTED[name]
    assert listed[name]["states"] == states
    assert listed[name].get("error") == error


# ---- a list -------------------------------------------------------------------------------------------------------

COUNTED = ["Wait for final counts", "Find map run", "Count jobs", "Compose summary", "Compose message"]
BEGIN = ["Read input", "Summary only?", "Where are the jobs?"]
END = ["Announce result", "How did it end?"]
# AWS's documentation of ResultWriter has the whole result of a failed item in the output: many of them exceed a state.
TOO_LARGE = {"module": "Leads", "job_id": "too large"}
LISTS = {
    "all succeed": ({"jobs": [JOB]}, (1, 1, 0), [*BEGIN, "Watch jobs", *COUNTED, *END, "List completed"], None),
    "some do not": (
        {"jobs": [JOB]},
        (100_000, 60_000, 40_000),
        [*BEGIN, "Watch jobs", *COUNTED, *END, "Too many unsuccessful jobs"],
        "ToleratedFailuresExceeded",
    ),
    "one is lost": (
        {"jobs": [JOB]},
        (2, 1, 0),
        [*BEGIN, "Watch jobs", *COUNTED, *END, "Jobs unaccounted for"],
        "JobsUnaccountedFor",
    ),
    "results that exceed what a state can hold": (
        {"jobs": [TOO_LARGE]},
        (1_000, 0, 1_000),
        [*BEGIN, "Watch jobs", *COUNTED, *END, "Too many unsuccessful jobs"],
        "ToleratedFailuresExceeded",
    ),
    "summary only": (
        {"jobs": [JOB], "notify_each": False},
        (1, 1, 0),
        [*BEGIN[:2], "Announce the summary only", *BEGIN[2:], "Watch jobs", *COUNTED, *END, "List completed"],
        None,
    ),
    **{
        f"rejected: {json.dumps(request)[:30]}": (
            request,
            (0, 0, 0),
            [*BEGIN, "Reject input", "Compose failure", *END, "List failed"],
            "InvalidInput",
        )
        for request in ({}, [], {"jobs": []}, {"jobs": [JOB] * 1001}, {"jobs_file": {"bucket": "b", "key": "k"}})
    },
}


@pytest.fixture(scope="module")
def lists() -> dict[str, dict[str, Any]]:
    cases = [
        {
            "definition": portable("WatchManyStateMachine"),
            "input": request,
            "context": CONTEXT,
            "tasks": {
                "Watch job": [
                    {"error": "States.DataLimitExceeded"}
                    if request == {"jobs": [TOO_LARGE]}
                    else {"result": {"ExecutionArn": "arn:job"}}
                ],
                "Find map run": [{"result": {"MapRuns": [{"MapRunArn": "arn:map"}]}}],
                "Count jobs": [{"result": {"ItemCounts": {"Total": total, "Succeeded": good, "Failed": bad}}}],
                "Announce result": [{"result": {"MessageId": "1"}}],
                "Send to dead-letter queue": [{"result": {}}],
            },
        }
        for request, (total, good, bad), _, _ in LISTS.values()
    ]
    results = run_node(ROOT / "tests/deploy/javascript/run.mjs", text=json.dumps(cases))
    return dict(zip(LISTS, json.loads(results), strict=True))


@pytest.mark.parametrize("name", LISTS)
def test_a_list(lists: dict[str, dict[str, Any]], name: str) -> None:
    _, (total, good, bad), states, error = LISTS[name]
    result = lists[name]
    assert result["states"] == states
    assert result.get("error") == error
    if error is None:
        assert (result["output"]["jobs"], result["output"]["succeeded"]) == (total, good)
        assert result["output"]["unsuccessful"] == bad
