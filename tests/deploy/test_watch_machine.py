"""The state machine that watches one job, with a function that responds by a script."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment, quicken
from local.stack import Stack
from tests.deploy.reports import JOB_ID, final_report, report
from tests.deploy.scenarios import ANNOUNCE, BEGIN, COMPLETED, LAP, REQUEST, SCENARIOS, Scenario
from tests.scripted import payloads


def once(machine: dict[str, Any]) -> dict[str, Any]:
    """A definition that retries each error once, quickly."""
    for state in machine["States"].values():
        for retrier in state.get("Retry", []):
            retrier["MaxAttempts"] = min(retrier["MaxAttempts"], 1)
    return quicken(machine)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_watch_ends_as_the_table_says(
    deploy_stub: Callable[..., Deployment], stack: Stack, scenario: Scenario
) -> None:
    with contextlib.ExitStack() as failures:
        if scenario.sns_denies:
            failures.enter_context(stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"))
        if scenario.sqs_denies:
            failures.enter_context(stack.fail_aws("sqs", "SendMessage", status=403, code="AccessDenied"))
        deployment = deploy_stub(*scenario.script, compose=scenario.compose, alter=once)
        execution = deployment.watch(scenario.request).wait()

    assert execution.ended.get("error") == scenario.error
    assert execution.states == scenario.states
    messages = [message.values for message in deployment.published()]
    announced = [attributes["outcome"] for attributes in messages if "outcome" in attributes]
    assert announced == ([scenario.announced] if scenario.announced else [])
    notices = [attributes for attributes in messages if "notice" in attributes]
    assert len(notices) == scenario.notices
    assert len(messages) == len(announced) + len(notices)
    letters = deployment.dead_letters()
    assert len(letters) == scenario.dead_letters
    for letter in letters:
        assert letter["execution"] == execution.arn
        assert letter["reason"]["Error"] == "SNS.AuthorizationErrorException"
        assert json.loads(letter["announcement"]["message"])["default"]
        assert letter["announcement"]["attributes"]["outcome"]["StringValue"]


def test_the_function_gets_the_input_as_it_is_and_then_its_own_report(
    deploy_stub: Callable[..., Deployment], tmp_path: Path
) -> None:
    failure = {"error": ["Surprise", "x"]}
    deployment = deploy_stub({"report": report()}, failure, alter=once)
    execution = deployment.watch(REQUEST, name="a-watch").wait()
    first, second, again, composed = payloads(tmp_path)
    common = {"watch": "a-watch", "execution": execution.arn, "announcement": True, "notify": False}
    assert first == {"request": REQUEST, **common}
    assert second == again == {"request": report(), **common}
    cause = json.dumps({"errorType": "Surprise", "errorMessage": "x"}, separators=(",", ":"))
    assert composed == {"request": report(), "failure": {"Error": "Surprise", "Cause": cause}, **common}
    assert (execution.error, execution.cause) == ("Surprise", cause)
    assert deployment.outcomes() == ["WATCH_FAILED"]


def test_the_fixed_announcement_names_its_execution(deploy_stub: Callable[..., Deployment]) -> None:
    failure = {"error": ["Surprise", "x"]}
    deployment = deploy_stub(failure, compose=failure, alter=once)
    execution = deployment.watch(REQUEST, name="a-watch").wait()
    (published,) = deployment.published()
    assert published.texts.keys() == {"default", "email", "sms"}
    assert json.loads(published.texts["default"])["outcome"] == "WATCH_FAILED"
    assert published.texts["email"].endswith(execution.arn)
    assert published.subject.isascii()
    assert published.values["event_id"] == "a-watch-WATCH_FAILED"


def test_no_error_of_lambda_ends_a_watch(deploy_stub: Callable[..., Deployment]) -> None:
    """Any error by any name is repeated, in the first check and later. The previous function threw many."""
    errors = [
        {"exit": 1},
        *(
            {"error": name}
            for name in ("Lambda.TooManyRequestsException", "Lambda.Unknown", "ZohoUnavailable", "Surprise")
        ),
    ]
    execution = deploy_stub(*errors, {"report": report()}, *errors, {"report": final_report()}).watch(REQUEST)
    assert execution.status == "SUCCEEDED"
    assert execution.states == [*BEGIN, *LAP, *ANNOUNCE, COMPLETED]
    assert len(execution.errors) == 2 * len(errors)


def test_an_outage_of_sns_is_outlasted(deploy_stub: Callable[..., Deployment], stack: Stack) -> None:
    """The output is then the report with the ID of the message."""
    deployment = deploy_stub({"report": final_report()})
    with stack.fail_aws("sns", "Publish", times=5):
        execution = deployment.watch(REQUEST).wait()
    assert execution.output.pop("notification").keys() == {"message_id"}
    assert {**execution.output, "notification": None} == {**final_report(), "notification": None}
    assert len(execution.errors) == 5
    assert len(deployment.published()) == 1


def test_a_check_without_a_response_is_repeated_and_then_announced(deploy_stub: Callable[..., Deployment]) -> None:
    def impatient(machine: dict[str, Any]) -> dict[str, Any]:
        if check := machine["States"].get("Check status"):
            check["TimeoutSeconds"] = 1
        return once(machine)

    deployment = deploy_stub({"sleep": 60}, alter=impatient)
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "WATCH_FAILED")
    assert execution.events("TaskTimedOut") == 2
    assert execution.cause.startswith("States.Timeout: ")
    (message,) = deployment.published()
    assert message.report["error"]["type"] == "States.Timeout"
    assert message.report["job_id"] == JOB_ID
