"""Timeouts, retries, and the length of a history, read from the definitions that ship."""

from __future__ import annotations

import heapq
import json
import random
from typing import Any

from local.deployment import STATE_MACHINES, template
from local.deployment.template import definition

MINUTE, HOUR, DAY = 60, 3_600, 86_400
RUNS = 300


MACHINES = {resource: json.loads(definition(resource, template.resolve())) for resource in STATE_MACHINES}
WATCH, LISTED, MANY = MACHINES.values()


def retrier(state: dict[str, Any], error: str) -> dict[str, Any]:
    return next(one for one in state["Retry"] if error in one["ErrorEquals"] or one["ErrorEquals"] == ["States.ALL"])


def longest_waits(retrier: dict[str, Any]) -> list[float]:
    """Full jitter draws each wait from 0 to this one."""
    return [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** min(n, 50), retrier["MaxDelaySeconds"])
        for n in range(retrier["MaxAttempts"])
    ]


def shortest(retrier: dict[str, Any]) -> float:
    """How long one execution in hundreds retries at least."""
    source, waits = random.Random(1), longest_waits(retrier)
    return min(sum(source.uniform(0, wait) for wait in waits) for _ in range(RUNS))


def retriers(node: Any) -> list[dict[str, Any]]:
    """All retriers of a definition, those inside maps included."""
    if isinstance(node, list):
        return [found for item in node for found in retriers(item)]
    if not isinstance(node, dict):
        return []
    return node.get("Retry", []) + [found for item in node.values() for found in retriers(item)]


def test_retries_back_off_with_jitter() -> None:
    found = [one for one in retriers(list(MACHINES.values())) if one["MaxAttempts"]]
    assert len(found) > 10
    for one in found:
        assert one["JitterStrategy"] == "FULL"
        assert one["BackoffRate"] > 1
        assert one["MaxDelaySeconds"] > one["IntervalSeconds"]


def test_a_check_is_retried_for_longer_than_a_watch_may_last() -> None:
    (only,) = WATCH["States"]["Check status"]["Retry"]
    assert only["ErrorEquals"] == ["States.ALL"]
    assert shortest(only) > WATCH["TimeoutSeconds"]


def test_no_watch_ends_because_ten_thousand_compete_for_five_checks_at_a_time() -> None:
    """Four hours of watches that start in one minute; a check takes 0.4 s, and the next one is due a tenth later."""
    (only,) = WATCH["States"]["Check status"]["Retry"]
    source, waits = random.Random(1), longest_waits(only)
    due = [(source.uniform(0, MINUTE), 0) for _ in range(10_000)]
    heapq.heapify(due)
    running, most = [0.0] * 5, 0
    while due[0][0] < 4 * HOUR:
        now, throttled = heapq.heappop(due)
        if running[0] <= now:
            heapq.heapreplace(running, now + 0.4)
            heapq.heappush(due, (now + min(max(10, now / 10), 900), 0))
        else:
            most = max(most, throttled + 1)
            heapq.heappush(due, (now + source.uniform(0, waits[throttled]), throttled + 1))
    assert most < only["MaxAttempts"] / 10


def test_an_announcement_outlasts_an_outage_of_sns() -> None:
    for state in (WATCH["States"]["Announce end"], MANY["States"]["Announce result"]):
        assert shortest(retrier(state, "SNS.InternalErrorException")) > DAY
        assert shortest(retrier(state, "SNS.NotFoundException")) > 10 * MINUTE
        assert retrier(state, "SNS.InvalidParameterException")["MaxAttempts"] == 0


def test_starting_a_watch_outlasts_throttling() -> None:
    """Under the same name in each attempt. AWS names a throttled start by the base class of its SDK."""
    start = "StepFunctions.AWSStepFunctionsException"
    starts = [one for one in retriers(list(MACHINES.values())) if start in one["ErrorEquals"]]
    assert "States.UUID" not in json.dumps(MACHINES)
    assert len(starts) == 3 + 2
    for one in starts:
        assert {"StepFunctions.ExecutionLimitExceeded", "StepFunctions.SdkClientException"} <= set(one["ErrorEquals"])
        assert shortest(one) > 30 * MINUTE


def test_timeouts_fit_into_one_another() -> None:
    stack, parameters = template.resolve(), template.source()["Parameters"]
    for machine in MACHINES.values():
        for state in machine["States"].values():
            assert state["Type"] != "Task" or "TimeoutSeconds" in state
    # The function responds, or Lambda reports that it did not, before the task times out.
    assert stack.properties("CheckFunction")["Timeout"] + 10 < WATCH["States"]["Check status"]["TimeoutSeconds"]
    # The watch ends itself, which is announced for a day at least, before the execution times out, which is not.
    latest = parameters["WatchLimitSeconds"]["MaxValue"] + parameters["CheckIntervalMaxSeconds"]["MaxValue"]
    assert latest + DAY < WATCH["TimeoutSeconds"]
    starts = [state for state in LISTED["States"].values() if "startExecution" in state.get("Resource", "")]
    assert all(WATCH["TimeoutSeconds"] < state["TimeoutSeconds"] < LISTED["TimeoutSeconds"] for state in starts)
    for state in (state for state in MANY["States"].values() if state["Type"] == "Map"):
        (item,) = state["ItemProcessor"]["States"].values()
        assert LISTED["TimeoutSeconds"] < item["TimeoutSeconds"] < MANY["TimeoutSeconds"]


def test_an_execution_cannot_outgrow_its_history() -> None:
    """25,000 events are the limit. A check takes 9, a notice 7, a failed attempt 3, and the end less than 100.

    No watch has more than 1,700 checks, and no more attempts fail than its check may retry before it times out.
    """
    (only,) = WATCH["States"]["Check status"]["Retry"]
    assert 1_700 * 9 + 3 * only["MaxAttempts"] + 100 < 25_000


def test_a_list_of_the_longest_inline_input_fits_into_a_state() -> None:
    """A module of 60 characters, as long as an execution's name allows, and a job ID of 20."""
    rule = MANY["States"]["Is it a list?"]["Choices"][0]
    assert rule == {"Variable": "$.jobs[1000]", "IsPresent": True, "Next": "Reject input"}
    job = {"module": "M" * 60, "job_id": "9" * 20}
    assert len(json.dumps({"jobs": [job] * 1_000})) < 262_144 / 2


def test_the_ways_to_read_a_list_watch_its_jobs_alike() -> None:
    maps = [state for state in MANY["States"].values() if state["Type"] == "Map"]
    assert len(maps) == 3
    items = [list(state["ItemProcessor"]["States"].values()) for state in maps]
    assert all(item == items[0] for item in items)
    same = ["ItemSelector", "MaxConcurrencyPath", "ToleratedFailurePercentagePath", "Next"]
    assert all(state[key] == maps[0][key] for state in maps for key in same)


def test_results_that_no_state_can_hold_do_not_hide_the_counts() -> None:
    """Without ResultWriter, the results of all jobs become the output of the map before ResultPath discards them."""
    first = MANY["States"]["Watch jobs"]["Catch"][0]
    assert (first["ErrorEquals"], first["Next"]) == (["States.DataLimitExceeded"], "Wait for final counts")
