"""The alarms of the template, in a model of the pace that ships: which fire in an outage of three hours, and when.

`-s` prints the table. CloudWatch evaluates an alarm every minute, on a window that slides; values arrive late.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from local.deployment import template

HOUR, LATE, RUNS, WATCHES = 3_600, 120, 3, (1, 2, 5, 100)
BEGIN, END, STOP = 6 * HOUR, 9 * HOUR, 11 * HOUR
# What keeps every check from succeeding: after a request to Zoho's API, before it, and what an operator must repair.
SENT = ("ZohoUnavailable", "ZohoUnexpectedResponse", "ZohoRateLimited", "PermissionDenied")
NOT_SENT = ("SecretUnavailable", "TokenRateLimited", "crash")
FOR_THE_OPERATOR = ("TokenRejected", "SecretInvalid", "InvalidConfiguration")
NAMESPACE = "MassChangeOwnerStatus"
ALARMS = {key: one["Properties"] for key, one in template.resolve().resources.items() if key.endswith("Alarm")}
# When each metric counted, by namespace, name, and error.
Metrics = dict[tuple[str, ...], list[float]]


def count(metrics: Metrics, time: float, error: str | None, thrown: bool = False) -> None:
    """What an invocation counts. A watch reports its errors; other callers get them thrown."""
    if error not in (*NOT_SENT, *FOR_THE_OPERATOR, "InvalidInput"):
        insort(metrics[NAMESPACE, "Checks"], time)
    if error and error != "crash":
        insort(metrics[NAMESPACE, "Errors", error], time)
    if thrown or error == "crash":
        insort(metrics["AWS/Lambda", "Errors"], time)


def watch(metrics: Metrics, fails: Callable[[float], str | None], source: random.Random) -> None:
    """One watch that goes on, at the pace of docs/pacing.md and of the reports that go on."""
    time = good = began = source.uniform(0, BEGIN)
    least = {"TokenRateLimited": 120, "InvalidConfiguration": HOUR}
    while time < STOP:
        if error := fails(time):
            wait = max(min((time - good) / 4, 900), least.get(error, 10)) * source.uniform(1, 1.2)
        else:
            good, wait = time, min(max((time - began) / 10, 10), 900)
        count(metrics, time, error)
        time += (source.uniform(1, 900) if error == "crash" else wait) + source.uniform(0.3, 30)


def pages(alarm: dict[str, Any], metrics: Metrics) -> list[int]:
    """The minutes in which an alarm is in ALARM."""
    plain = {"Id": "plain", "MetricStat": {"Metric": alarm, "Period": alarm.get("Period")}}
    queries = alarm.get("Metrics", [plain, {"Id": "total", "Expression": "FILL(plain, 0)"}])
    stats = {one["Id"]: one["MetricStat"] for one in queries if "MetricStat" in one}
    expressions = {one["Id"]: compile(one["Expression"], one["Id"], "eval") for one in queries if "Expression" in one}
    period = next(iter(stats.values()))["Period"]

    @cache
    def value(begin: int, end: int) -> float:
        names: dict[str, Any] = {"FILL": lambda one, other: other if one is None else one}
        names["IF"] = lambda condition, then, otherwise: then if condition else otherwise
        for name, stat in stats.items():
            errors = [one["Value"] for one in stat["Metric"]["Dimensions"] if one["Name"] == "ErrorType"]
            times = metrics.get((stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], *errors), [])
            names[name] = bisect_left(times, end) - bisect_left(times, begin) or None
        for name, expression in reversed(expressions.items()):
            names[name] = eval(expression, names)
        return names["total"]

    def is_alarm(now: int) -> bool:
        ends = [now - period * number for number in range(alarm["EvaluationPeriods"])]
        breaching = [value(end - period, min(end, now - LATE)) >= alarm["Threshold"] for end in ends]
        return sum(breaching) >= alarm.get("DatapointsToAlarm", len(ends))

    return [now for now in range(BEGIN, STOP, 60) if is_alarm(now)]


def run(watches: int, fails: Callable[[float], str | None], seed: int, failing: int = 1_000) -> dict[str, list[int]]:
    """Which alarms fire, and when, if the first watches fail like this, and all others succeed."""
    source, metrics = random.Random(seed), defaultdict(list)
    for number in range(watches):
        watch(metrics, fails if number < failing else lambda _: None, source)
    return {name: found for name, alarm in ALARMS.items() if (found := pages(alarm, metrics))}


@pytest.mark.parametrize("error", [*SENT, *NOT_SENT, *FOR_THE_OPERATOR])
def test_an_outage_alarms_within_an_hour_and_until_its_end(error: str) -> None:
    expected = "CredentialErrorsAlarm" if error in FOR_THE_OPERATOR else "ChecksFailAlarm"
    for watches in WATCHES:
        found = [run(watches, lambda time: error if BEGIN <= time < END else None, seed) for seed in range(RUNS)]
        assert all(set(alarms) == {expected} for alarms in found)
        first = [alarms[expected][0] - BEGIN for alarms in found]
        print(f"{error:<23}{watches:>4}  {expected:<22} after {min(first) // 60:>2} to {max(first) // 60:>2} min")
        assert max(first) <= HOUR
        for times in (alarms[expected] for alarms in found):
            assert times == list(range(times[0], times[-1] + 60, 60)), "OK, and ALARM again"
            assert END <= times[-1] < END + 1.5 * HOUR


@pytest.mark.parametrize("watches", WATCHES)
def test_one_failed_check_pages_nobody(watches: int) -> None:
    for error in (*SENT, *NOT_SENT, "ScopeMismatch"):
        left = [error]
        assert run(watches, lambda time, left=left: left.pop() if left and time >= BEGIN + HOUR else None, seed=1) == {}
        alone: Metrics = defaultdict(list)
        for attempt in (0, 60, 180):
            count(alone, BEGIN + HOUR + attempt, error, thrown=True)
        assert not any(pages(alarm, alone) for alarm in ALARMS.values()), "three attempts at the only event for hours"


@pytest.mark.parametrize("watches", WATCHES)
def test_one_module_without_a_scope_is_not_said_to_affect_every_watch(watches: int) -> None:
    found = run(watches, lambda time: "ScopeMismatch" if BEGIN <= time < END else None, seed=1, failing=1)
    print(f"{'ScopeMismatch of one':<23}{watches:>4}  {', '.join(found) or 'nobody is paged'}")
    assert set(found) == ({"ChecksFailAlarm"} if watches == 1 else set())
    assert "every watch" not in ALARMS["ChecksFailAlarm"]["AlarmDescription"].lower()


@pytest.mark.parametrize("error", ["InvalidInput", "InvalidModule", "JobNotFound"])
def test_what_callers_send_wrong_pages_nobody(error: str) -> None:
    """Watches, lists, and invocations, for three hours."""
    metrics, source = defaultdict(list), random.Random(1)
    for time in range(BEGIN, END, 60):
        count(metrics, time, error, thrown=source.random() < 0.5)
        metrics["AWS/States", "ExecutionsFailed"].append(time)
    assert not any(pages(alarm, metrics) for alarm in ALARMS.values())
