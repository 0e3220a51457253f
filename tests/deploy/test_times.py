"""Timeouts, retries, and the length of a history, read from the definitions that ship."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.deployment import STATE_MACHINES, template
from local.deployment.template import definition
from tests.deploy.names import LAMBDA_ERRORS, RETRYABLE
from tests.deploy.retrying import attempts_in_a_burst, budgets, longest, quantile, retriers

MINUTE, HOUR = 60, 3_600


@pytest.fixture(scope="module")
def machines() -> dict[str, dict[str, Any]]:
    return {resource: json.loads(definition(resource, template.resolve())) for resource in STATE_MACHINES}


@pytest.fixture(scope="module")
def watch(machines: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return machines["WatchStateMachine"]


@pytest.fixture(scope="module")
def many(machines: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return machines["WatchManyStateMachine"]


def retrier(state: dict[str, Any], error: str) -> dict[str, Any]:
    return next(one for one in state["Retry"] if error in one["ErrorEquals"] or one["ErrorEquals"] == ["States.ALL"])


def test_exactly_what_is_retryable_is_retried(watch: dict[str, Any]) -> None:
    retried = [name for one in watch["States"]["Check status"]["Retry"] for name in one["ErrorEquals"]]
    assert len(retried) == len(set(retried))
    assert set(retried) == RETRYABLE | LAMBDA_ERRORS
    (catcher,) = watch["States"]["Check status"]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]


def test_retries_back_off_with_jitter(machines: dict[str, dict[str, Any]]) -> None:
    found = [one for one in retriers(list(machines.values())) if one["MaxAttempts"]]
    assert len(found) > 10
    for one in found:
        assert one["JitterStrategy"] == "FULL"
        assert one["BackoffRate"] > 1
        assert one["MaxDelaySeconds"] > one["IntervalSeconds"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        # One watch in a thousand may give up earlier.
        ("ZohoUnavailable", 6 * HOUR),
        ("ZohoRateLimited", 6 * HOUR),
        ("SecretUnavailable", 6 * HOUR),
        ("NotificationFailed", 6 * HOUR),
        ("Lambda.ServiceException", 12 * MINUTE),
        ("Lambda.ResourceConflictException", 12 * MINUTE),
        ("Lambda.TooManyRequestsException", 30 * MINUTE),
    ],
)
def test_a_watch_outlasts_an_outage(watch: dict[str, Any], error: str, seconds: float) -> None:
    assert quantile(budgets(retrier(watch["States"]["Check status"], error)), 0.001) > seconds


def test_every_watch_outlasts_token_throttling(watch: dict[str, Any]) -> None:
    """Zoho counts tokens in windows of 10 minutes; 4 windows in a row are full only if others keep asking."""
    assert budgets(retrier(watch["States"]["Check status"], "TokenRateLimited"))[0] > 4 * 10 * MINUTE


def test_an_announcement_outlasts_an_outage_of_sns(watch: dict[str, Any], many: dict[str, Any]) -> None:
    for state in (watch["States"]["Announce end"], many["States"]["Announce result"]):
        assert quantile(budgets(retrier(state, "SNS.InternalErrorException")), 0.001) > 6 * HOUR
        assert retrier(state, "SNS.InvalidParameterException")["MaxAttempts"] == 0


@pytest.mark.parametrize("concurrency", ["Default", "MaxValue"])
def test_every_watch_of_a_list_gets_its_turn(watch: dict[str, Any], concurrency: str) -> None:
    """All checks of a list at once, five at a time (the default), and each takes a whole second."""
    checks = template.source()["Parameters"]["MaxConcurrency"][concurrency]
    throttled = retrier(watch["States"]["Check status"], "Lambda.TooManyRequestsException")
    assert attempts_in_a_burst(throttled, checks, places=5, seconds=1.0) < throttled["MaxAttempts"]


def test_starting_a_watch_outlasts_throttling(machines: dict[str, dict[str, Any]]) -> None:
    """AWS names a throttled start by the base class of its SDK."""
    starts = [
        one
        for one in retriers(list(machines.values()))
        if "StepFunctions.AWSStepFunctionsException" in one["ErrorEquals"]
    ]
    assert len(starts) == 4 + 2
    for one in starts:
        assert {"StepFunctions.ExecutionLimitExceeded", "StepFunctions.SdkClientException"} <= set(one["ErrorEquals"])
        assert quantile(budgets(one), 0.001) > 30 * MINUTE


def test_timeouts_fit_into_one_another(machines: dict[str, dict[str, Any]]) -> None:
    watch, listed, many = (machines[resource] for resource in STATE_MACHINES)
    stack, parameters = template.resolve(), template.source()["Parameters"]
    for machine in machines.values():
        for state in machine["States"].values():
            assert state["Type"] != "Task" or "TimeoutSeconds" in state
    # The function responds, or Lambda reports that it did not, before the task times out.
    check = watch["States"]["Check status"]
    assert stack.properties("CheckFunction")["Timeout"] + 10 < check["TimeoutSeconds"]
    # The watch ends itself, which is announced, before the execution times out, which is not.
    latest = parameters["WatchLimitSeconds"]["MaxValue"] + parameters["CheckIntervalMaxSeconds"]["MaxValue"]
    ends = [
        check,
        *(watch["States"][name] for name in ("Compose failure", "Announce end", "Send to dead-letter queue")),
    ]
    retries = sum(
        longest(one) + one["MaxAttempts"] * state["TimeoutSeconds"] for state in ends for one in state["Retry"]
    )
    assert latest + retries < watch["TimeoutSeconds"]
    starts = [state for state in listed["States"].values() if state["Type"] == "Task"]
    assert all(watch["TimeoutSeconds"] < state["TimeoutSeconds"] < listed["TimeoutSeconds"] for state in starts)
    for state in (state for state in many["States"].values() if state["Type"] == "Map"):
        (item,) = state["ItemProcessor"]["States"].values()
        assert listed["TimeoutSeconds"] < item["TimeoutSeconds"] < many["TimeoutSeconds"]


def test_the_loop_runs_through_wait_only(watch: dict[str, Any]) -> None:
    """Every loop of the state machine runs through Wait, or through states that are passed once."""
    edges = {name: successors(state) for name, state in watch["States"].items()}
    assert [name for name, targets in edges.items() if "Wait for next check" in targets] == ["Finished?"]
    rules = watch["States"]["Finished?"]["Choices"]
    rule = next(rule for rule in rules if rule["Next"] == "Wait for next check")
    assert {"Variable": "$.check.report.outcome", "IsNull": True} in rule["And"]
    assert {"Variable": "$.check.report.next_check_seconds", "NumericGreaterThan": 0} in rule["And"]
    # A failure that was not composed leads to the fixed announcement before anything can lead back to a composition.
    order = [rule["Next"] for rule in rules]
    assert order.index("Announce end") < order.index("Use fixed announcement") < order.index("Wait for next check")
    # What sending a notice returns, or fails with, takes the place of the notice.
    notice = watch["States"]["Send notice"]
    assert {"Variable": "$.check.report.notice.subject", "IsPresent": True} in next(
        rule["And"] for rule in rules if rule["Next"] == "Send notice"
    )
    assert {path["ResultPath"] for path in [notice, *notice["Catch"]]} == {"$.check.report.notice"}
    assert notice["ResultSelector"].keys() == {"message_id.$"}
    cut = {"Wait for next check", "Compose failure", "Use fixed announcement", "Send notice"}
    assert not has_cycle({name: targets - cut for name, targets in edges.items()})


def successors(state: dict[str, Any]) -> set[str]:
    targets = {state.get("Next"), state.get("Default")}
    targets |= {branch["Next"] for branch in state.get("Choices", []) + state.get("Catch", [])}
    return targets - {None}


def has_cycle(edges: dict[str, set[str]]) -> bool:
    remaining = dict(edges)
    while ends := [name for name, targets in remaining.items() if not targets & remaining.keys()]:
        for name in ends:
            del remaining[name]
    return bool(remaining)


def test_an_execution_cannot_outgrow_its_history(watch: dict[str, Any]) -> None:
    """25,000 events are the limit. A check takes 9, a failed attempt 3, a notice 7, and the end less than 100."""
    rules = watch["States"]["Finished?"]["Choices"]
    (limit,) = [rule for rule in rules if rule["Next"] == "Continue in a new execution"]
    checks = next(test["NumericGreaterThanEquals"] for test in limit["And"] if "NumericGreaterThanEquals" in test)
    more = watch["States"]["Continue in a new execution"]["Parameters"]["Input"]["continue_at_check.$"]
    assert more == f"States.MathAdd($.check.report.checks, {checks})"
    for failed_attempts, notices in ((5, 0), (2, 1)):
        assert checks * (9 + 3 * failed_attempts + 7 * notices) + 100 < 25_000


def test_a_list_of_the_longest_inline_input_fits_into_a_state(many: dict[str, Any]) -> None:
    """A module of 60 characters, as long as an execution's name allows, and a job ID of 20."""
    rule = many["States"]["Where are the jobs?"]["Choices"][0]
    assert rule == {"Variable": "$.input.jobs[1000]", "IsPresent": True, "Next": "Reject input"}
    job = {"module": "M" * 60, "job_id": "9" * 20}
    assert len(json.dumps({"jobs": [job] * 1_000})) < 262_144 / 2


def test_the_four_ways_to_read_a_list_watch_its_jobs_alike(many: dict[str, Any]) -> None:
    maps = [state for state in many["States"].values() if state["Type"] == "Map"]
    assert len(maps) == 4
    items = [list(state["ItemProcessor"]["States"].values()) for state in maps]
    assert all(item == items[0] for item in items)
    same = ["ItemSelector", "MaxConcurrencyPath", "ToleratedFailurePercentagePath", "Next"]
    assert all(state[key] == maps[0][key] for state in maps for key in same)
    assert all(state["Catch"][1:] == maps[0]["Catch"][1:] for state in maps)


def test_results_that_no_state_can_hold_do_not_hide_the_counts(many: dict[str, Any]) -> None:
    """Without ResultWriter, the results of all jobs become the output of the map before ResultPath discards them."""
    for state in (state for state in many["States"].values() if state["Type"] == "Map"):
        first = state["Catch"][0]
        assert first["ErrorEquals"] == ["States.DataLimitExceeded"]
        assert first["Next"] == ("Compose failure" if "ResultWriter" in state else "Wait for final counts")
