"""The state machine that watches one job: the definition that ships, run against the release binary."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment, Execution, quicken
from local.deployment.template import ROOT
from local.stack import Publication, Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.deploy.names import LAMBDAS_OWN, TRY_AGAIN
from tests.scripted import stub

JOB_ID = "3652397000009565021"
REQUEST = json.loads((ROOT / "events/step-functions.json").read_text(encoding="utf-8"))
SCHEDULE_ARN = "arn:aws:scheduler:us-east-1:123456789012:schedule/watches/Leads-3652397000009565021"

LAP = ["Check", "Is the watch over", "Wait"]
BEGIN = ["Is anything asked for", "Ask for the announcement", "Keep the function from publishing"]
GOOD_END = [
    "Check",
    "Is the watch over",
    "Announce the end",
    "How did it end",
    "Read back what was announced",
    "Report",
    "Ended well",
]
BAD_END = ["Check", "Is the watch over", "Announce the end", "How did it end", "Ended badly"]


def start_job(deployment: Deployment, run_seconds: float = 0, **job: Any) -> None:
    job = {"module": "Leads", "job_id": JOB_ID, "total": 50_000, **job}
    deployment.stack.zoho.control.start_job(run_seconds=run_seconds, **job)


def timeless(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


def content(publication: Publication) -> tuple[Any, ...]:
    """All of a message, times taken out and the report in it taken apart."""
    texts = {protocol: timeless(text) for protocol, text in publication.texts.items()}
    texts["default"] = json.loads(texts["default"])
    return publication.subject, publication.structure, publication.attributes, texts


def test_a_job_that_succeeds_is_checked_until_it_ends_and_announced_once(deployment: Deployment) -> None:
    start_job(deployment, run_seconds=2.5)

    execution = deployment.watch(REQUEST)

    assert execution.status == "SUCCEEDED"
    laps = execution.states.count("Wait")
    assert laps >= 1
    assert execution.states == BEGIN + LAP * laps + GOOD_END
    assert len(deployment.stack.zoho.control.stats().requests_to("crm")) == laps + 1
    (message,) = deployment.messages()
    assert message.attributes["outcome"] == "SUCCEEDED"
    assert message.body["checks"] == laps + 1
    assert execution.output == {**message.body, "notification": execution.output["notification"]}


@pytest.mark.parametrize(
    ("job", "outcome"),
    [({}, "SUCCEEDED"), ({"failed": 500}, "PARTIALLY_SUCCEEDED"), ({"shape": "fails-half-way"}, "FAILED")],
)
def test_the_announcement_is_the_functions_own_notification(
    deployment: Deployment, job: dict[str, Any], outcome: str
) -> None:
    start_job(deployment, **job)
    deployment.watch(REQUEST).wait()
    assert deployment.function.invoke({**REQUEST, "notify": True}).ok

    announced, notified = deployment.published()
    assert content(announced) == content(notified)
    assert announced.attributes["outcome"]["StringValue"] == outcome
    announcement, notification = deployment.messages()
    assert announcement.attributes == notification.attributes
    assert announcement.body.keys() == notification.body.keys()


def test_a_job_that_partly_fails_ends_as_a_success_that_says_so(deployment: Deployment) -> None:
    start_job(deployment, failed=500)
    execution = deployment.watch(REQUEST)
    assert execution.status == "SUCCEEDED"
    assert execution.states == BEGIN + GOOD_END
    assert execution.output["outcome"] == "PARTIALLY_SUCCEEDED"
    assert "announcement" not in execution.output
    (message,) = deployment.messages()
    assert message.subject == "Zoho CRM Leads owner change: 49,500 of 50,000 updated, 500 failed"


def test_a_job_that_fails_fails_the_execution(deployment: Deployment) -> None:
    start_job(deployment, shape="fails-half-way")
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "FAILED")
    assert execution.states == BEGIN + BAD_END
    assert JOB_ID in execution.cause
    (message,) = deployment.messages()
    assert message.attributes["outcome"] == "FAILED"


def test_a_token_that_dies_on_the_way_is_replaced(deployment: Deployment) -> None:
    start_job(deployment, run_seconds=4)
    execution = deployment.watch(REQUEST)
    zoho = deployment.stack.zoho.control
    while not (first := zoho.stats().requests_to("crm")):
        pass
    zoho.revoke(first[0].token)

    assert execution.status == "SUCCEEDED"
    assert execution.errors == []
    stats = zoho.stats()
    assert [request.status for request in stats.requests_to("crm")].count(401) == 1
    assert stats.tokens_minted == 2


def test_a_watch_beyond_its_limit_is_announced_and_fails(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(WatchLimitSeconds=60)
    start_job(deployment, run_seconds=100_000)
    execution = deployment.watch({**REQUEST, "first_checked_at": "2026-01-01T00:00:00Z"})
    assert (execution.status, execution.error) == ("FAILED", "WATCH_TIMED_OUT")
    assert execution.states == BEGIN + BAD_END
    (message,) = deployment.messages()
    assert message.attributes["outcome"] == "WATCH_TIMED_OUT"


def test_a_request_to_notify_is_not_announced_twice(deployment: Deployment) -> None:
    start_job(deployment)
    deployment.watch({**REQUEST, "notify": True}).wait()
    assert len(deployment.messages()) == 1


# ---- errors that are tried again ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ("ZohoUnavailable", {"status": 503}),
        ("ZohoRateLimited", {"status": 429, "body": {"code": "TOO_MANY_REQUESTS", "status": "error"}}),
    ],
)
def test_zohos_outages_are_ridden_out(deployment: Deployment, error: str, fault: dict[str, Any]) -> None:
    start_job(deployment)
    zoho = deployment.stack.zoho.control
    zoho.respond(**fault, times=1_000)
    execution = deployment.watch(REQUEST)
    execution.wait_for("TaskFailed", 2)
    zoho.clear_faults()
    assert execution.status == "SUCCEEDED"
    assert set(execution.errors) == {error}
    assert len(deployment.messages()) == 1


def test_secrets_managers_outages_are_ridden_out(deployment: Deployment) -> None:
    start_job(deployment)
    with deployment.stack.fail_aws("secretsmanager", "GetSecretValue"):
        execution = deployment.watch(REQUEST)
        execution.wait_for("TaskFailed", 2)
    assert execution.status == "SUCCEEDED"
    assert set(execution.errors) == {"SecretUnavailable"}


def report(**changes: Any) -> dict[str, Any]:
    """What the function answers of an unfinished job."""
    return {
        "module": "Leads",
        "job_id": JOB_ID,
        "outcome": None,
        "checks": 1,
        "first_checked_at": "2026-11-23T10:00:00Z",
        "next_check_seconds": 1,
        "announcement": None,
        **changes,
    }


def final_report(outcome: str = "SUCCEEDED") -> dict[str, Any]:
    """What the function answers at the end of a watch."""
    plain = report(outcome=outcome, next_check_seconds=None)
    del plain["announcement"]
    attributes = {"outcome": {"DataType": "String", "StringValue": outcome}}
    message = json.dumps({"default": json.dumps(plain)})
    return {**plain, "announcement": {"subject": outcome, "message": message, "attributes": attributes}}


# A time-out of the task is raised by Step Functions itself: a stand-in of the function cannot.
RETRIED = sorted((TRY_AGAIN | LAMBDAS_OWN) - {"States.Timeout"})


@pytest.fixture(scope="module")
def retried(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Execution]]:
    """For each error an execution that meets it twice, all side by side."""
    with contextlib.ExitStack() as ends:
        executions = {}
        for error in RETRIED:
            failure = {"error": [error, "passing"]}
            deployment = Deployment(
                stack,
                alter=quicken,
                **stub(tmp_path_factory.mktemp("stub"), failure, failure, {"report": final_report()}),
            )
            executions[error] = ends.enter_context(deployment).watch(REQUEST)
        yield executions


@pytest.mark.parametrize("error", RETRIED)
def test_two_failures_then_success(retried: dict[str, Execution], error: str) -> None:
    execution = retried[error]
    assert execution.status == "SUCCEEDED"
    assert execution.errors == [error, error]
    assert execution.states == BEGIN + GOOD_END


def test_a_function_that_crashes_is_tried_again(deploy_stub: Callable[..., Deployment]) -> None:
    execution = deploy_stub({"exit": 1}, {"report": final_report()}).watch(REQUEST)
    assert execution.status == "SUCCEEDED"
    assert execution.errors == ["Runtime.ExitError"]


def test_checks_that_find_no_free_place_are_tried_again(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(ReservedConcurrency=1)
    zoho = deployment.stack.zoho.control
    jobs = [zoho.start_job(run_seconds=0) for _ in range(3)]
    zoho.fault("delay", times=2, side="crm", seconds=0.5)
    executions = [deployment.watch({"module": "Leads", "job_id": job}) for job in jobs]
    assert [execution.status for execution in executions] == ["SUCCEEDED"] * 3
    errors = {error for execution in executions for error in execution.errors}
    assert errors == {"Lambda.TooManyRequestsException"}


def impatient(machine: dict[str, Any]) -> dict[str, Any]:
    """The definition with a second for a check and one retry, if it has checks."""
    if check := machine["States"].get("Check"):
        check["TimeoutSeconds"] = 1
        check["Retry"] = [{**retrier, "MaxAttempts": 1} for retrier in check["Retry"]]
    return quicken(machine)


def test_a_check_that_never_answers_is_tried_again(deploy_stub: Callable[..., Deployment]) -> None:
    execution = deploy_stub({"sleep": 60}, {"report": final_report()}, alter=impatient).watch(REQUEST)
    assert execution.status == "SUCCEEDED"
    assert execution.events("TaskTimedOut") == 1


def test_a_check_that_keeps_on_not_answering_fails_under_a_name_that_is_not_reserved(
    deploy_stub: Callable[..., Deployment],
) -> None:
    deployment = deploy_stub({"sleep": 60}, alter=impatient)
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "WATCH_FAILED")
    assert execution.cause.startswith("States.Timeout: ")
    (message,) = deployment.messages()
    assert message.body["error"]["type"] == "States.Timeout"


def test_an_error_that_stays_is_given_up_and_announced(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub({"error": ["Lambda.ServiceException", "down"]})
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "Lambda.ServiceException")
    assert len(execution.errors) == 1 + 6
    assert len(deployment.messages()) == 1


# ---- errors that end the watch --------------------------------------------------------------------------------

INVALID_TOKEN = {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}


@pytest.mark.parametrize(
    ("error", "how", "answer"),
    [
        ("InvalidConfiguration", {"env": {"ZOHO_API_VERSION": "eight"}}, None),
        ("SecretInvalid", {"secret": '{"client_id": "1000.X"}'}, None),
        ("TokenRejected", {"secret": {**REFRESH_TOKEN_SECRET, "refresh_token": "1000.revoked"}}, None),
        ("TokenRejected", {}, {"status": 401, "body": INVALID_TOKEN}),
        ("ScopeMismatch", {}, {"status": 401, "body": {"code": "OAUTH_SCOPE_MISMATCH", "status": "error"}}),
        ("PermissionDenied", {}, {"status": 403, "body": {"code": "NO_PERMISSION", "status": "error"}}),
        ("InvalidModule", {}, {"status": 400, "body": {"code": "INVALID_MODULE", "status": "error"}}),
        ("JobNotFound", {}, {"status": 204}),
        ("ZohoUnexpectedResponse", {}, {"status": 200, "body": "<html>"}),
    ],
)
def test_any_other_error_is_announced_as_the_function_would_and_fails_under_its_name(
    deploy: Callable[..., Deployment], error: str, how: dict[str, Any], answer: dict[str, Any] | None
) -> None:
    deployment = deploy(**how)
    if answer:
        deployment.stack.zoho.control.respond(**answer, times=1_000)

    execution = deployment.watch(REQUEST)

    assert (execution.status, execution.error) == ("FAILED", error)
    assert execution.errors == [error]
    assert execution.states[-3:] == ["Announce the failure", "Under which name to fail", "Watch failed"]
    (message,) = deployment.messages()
    assert message.body["error"] == {"type": error, "message": execution.cause}
    if error != "InvalidConfiguration":  # of which the function cannot tell anybody
        assert deployment.function.invoke({**REQUEST, "schedule_arn": SCHEDULE_ARN}).ok
        announced, notified = deployment.published()
        assert content(announced) == content(notified)


def test_token_trouble_is_what_the_alarms_filter_finds(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(secret={**REFRESH_TOKEN_SECRET, "refresh_token": "1000.revoked"})
    terms = deployment.template.properties("TokenTroubleFilter")["FilterPattern"].split()
    assert all(term.startswith("?") for term in terms)
    deployment.watch(REQUEST).wait()
    deployment.function.wait_for_line(lambda line: any(term[1:] in line for term in terms))


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ("bad-job-id-number", ("Leads", "unknown")),
        ("bad-missing-module", ("unknown", "unknown")),
        ("bad-custom-module", ("Custom", JOB_ID)),
        ("bad-empty-object", ("unknown", "unknown")),
        ("bad-array", ("unknown", "unknown")),
        ("put-events", ("unknown", "unknown")),
    ],
)
def test_what_is_no_request_is_announced_too(deployment: Deployment, event: str, names: tuple[str, str]) -> None:
    payload = json.loads((ROOT / f"events/{event}.json").read_text(encoding="utf-8"))
    execution = deployment.watch(payload)
    assert (execution.status, execution.error) == ("FAILED", "InvalidInput")
    (message,) = deployment.messages()
    assert (message.attributes["module"], message.attributes["job_id"]) == names
    assert message.body["error"]["type"] == "InvalidInput"


def test_a_module_that_fits_no_subject_is_announced_without_it(deployment: Deployment) -> None:
    execution = deployment.watch({"module": "M" * 200, "job_id": JOB_ID})
    assert execution.status == "FAILED"
    assert execution.states[-4:-2] == ["Announce the failure", "Announce the failure in short"]
    (message,) = deployment.messages()
    assert "M" not in message.subject.removeprefix("Zoho CRM")
    assert message.body["module"] == "M" * 200
    assert message.body["error"]["type"] == execution.error


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ({"report": "hello"}, "ReportNotUnderstood"),
        ({"report": None}, "ReportNotUnderstood"),
        ({"report": report(next_check_seconds=None)}, "ReportNotUnderstood"),
        ({"report": report(outcome="SUCCEEDED")}, "ReportNotUnderstood"),
        ({"report": report(checks=2400)}, "TooManyChecks"),
        ({"error": ["Surprise", 'a "quoted" {} message\u00e9']}, "Surprise"),
    ],
)
def test_an_answer_that_nobody_foresaw_ends_the_watch(
    deploy_stub: Callable[..., Deployment], step: dict[str, Any], error: str
) -> None:
    deployment = deploy_stub(step)
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", error)
    (message,) = deployment.messages()
    assert message.body["error"] == {"type": error, "message": execution.cause}
    assert message.attributes["job_id"] == JOB_ID


def test_a_fault_without_a_cause_is_announced(deploy: Callable[..., Deployment]) -> None:
    def begin_with_a_fault(machine: dict[str, Any]) -> dict[str, Any]:
        if "Check" in machine["States"]:
            caught = {"announcement": True, "failure": {"Error": "Lambda.Unknown"}}
            machine["States"]["Fault"] = {"Type": "Pass", "Result": caught, "Next": "What is known of the watch"}
            machine["StartAt"] = "Fault"
        return machine

    deployment = deploy(alter=begin_with_a_fault)
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "Lambda.Unknown")
    (message,) = deployment.messages()
    assert message.body["error"]["message"] == "no cause was given"


def test_a_failure_after_some_checks_goes_on_from_the_last_report(deploy_stub: Callable[..., Deployment]) -> None:
    deployment = deploy_stub({"report": report(checks=5)}, {"error": ["JobNotFound", "gone"]})
    deployment.watch(REQUEST).wait()
    (message,) = deployment.messages()
    assert message.body["checks"] == 6
    assert message.body["first_checked_at"] == "2026-11-23T10:00:00Z"


# ---- announcing that fails ------------------------------------------------------------------------------------


def test_an_end_that_cannot_be_announced_keeps_its_name_and_never_looks_like_a_success(
    stack: Stack, tmp_path: Path
) -> None:
    ends = {
        "NotificationFailed": {"report": final_report("SUCCEEDED")},
        "FAILED": {"report": final_report("FAILED")},
        "WATCH_TIMED_OUT": {"report": final_report("WATCH_TIMED_OUT")},
        "TokenRejected": {"error": ["TokenRejected", "no"]},
    }
    with contextlib.ExitStack() as deployments, stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"):
        executions = {}
        for error, step in ends.items():
            (directory := tmp_path / error).mkdir()
            deployment = deployments.enter_context(Deployment(stack, alter=quicken, **stub(directory, step)))
            executions[error] = deployment.watch(REQUEST)
        for error, execution in executions.items():
            assert (execution.status, execution.error) == ("FAILED", error)
