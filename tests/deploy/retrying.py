"""How long a retrier outlasts an outage: a simulation of Step Functions' retries, from the definitions that ship."""

from __future__ import annotations

import heapq
import random
from typing import Any

RUNS = 4_000


def waits(retrier: dict[str, Any]) -> list[float]:
    """The longest wait before each attempt."""
    return [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier.get("MaxDelaySeconds", float("inf")))
        for n in range(retrier["MaxAttempts"])
    ]


def longest(retrier: dict[str, Any]) -> float:
    """What all waits add up to if each is as long as it can be."""
    return sum(waits(retrier)) if retrier["MaxAttempts"] else 0.0


def budgets(retrier: dict[str, Any]) -> list[float]:
    """What the waits of many executions add up to, in order. Full jitter draws each evenly from 0 to the longest."""
    assert retrier["JitterStrategy"] == "FULL"
    source = random.Random(1)
    longest_waits = waits(retrier)
    return sorted(sum(source.uniform(0, wait) for wait in longest_waits) for _ in range(RUNS))


def quantile(budgets: list[float], part: float) -> float:
    """The budget that this part of all executions does not reach."""
    return budgets[int(part * len(budgets))]


def retriers(node: Any) -> list[dict[str, Any]]:
    """All retriers of a definition, those inside maps included."""
    if isinstance(node, list):
        return [found for item in node for found in retriers(item)]
    if not isinstance(node, dict):
        return []
    return node.get("Retry", []) + [found for item in node.values() for found in retriers(item)]


def attempts_in_a_burst(retrier: dict[str, Any], checks: int, places: int, seconds: float) -> int:
    """The most retries that any of so many simultaneous checks needs, if only some can run at a time."""
    source, longest_waits = random.Random(1), waits(retrier)
    running: list[float] = []
    most, due = 0, [(source.uniform(0, 1), 0) for _ in range(checks)]
    heapq.heapify(due)
    while due:
        now, failed = heapq.heappop(due)
        while running and running[0] <= now:
            heapq.heappop(running)
        if len(running) < places:
            heapq.heappush(running, now + seconds)
            continue
        most = max(most, failed + 1)
        if most > len(longest_waits):
            return most
        heapq.heappush(due, (now + source.uniform(0, longest_waits[failed]), failed + 1))
    return most
