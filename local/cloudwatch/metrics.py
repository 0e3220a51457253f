"""Metrics by period, as a dashboard and an alarm read them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.cloudwatch.embedded_metric_format import Point

Series = dict[int, float]
"""One value for each period that has any; the key is the period's start in seconds."""

_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max}


def statistic(name: str, values: list[float]) -> float:
    """A statistic by CloudWatch's name for it. A percentile is the nearest rank: no value is invented."""
    if match := re.fullmatch(r"p(\d+)", name):
        return sorted(values)[max(0, math.ceil(len(values) * int(match[1]) / 100) - 1)]
    return _STATISTICS[name](values)


@dataclass(frozen=True)
class Metrics:
    """All values of all metrics. `until` is the time of the last look at them, in the unit of the points."""

    points: list[Point]
    until: float

    def series(self, namespace: str, name: str, dimensions: dict[str, str], stat: str, period: int) -> Series:
        """One metric. Its dimensions are exactly these."""
        return self._by_period(self._of(namespace, name, dimensions), stat, period)

    def search(self, expression: str) -> list[tuple[dict[str, str], Series]]:
        """What a search expression finds, with the dimensions of each metric."""
        pattern = r"SEARCH\('\{(\w+),([\w,]+)\} (\w+)=\"([^\"]+)\" MetricName=\"(\w+)\"', '(\w+)', (\d+)\)"
        namespace, schema, dimension, value, name, stat, period = re.fullmatch(pattern, expression).groups()
        found = [
            point.dimensions
            for point in self.points
            if (point.namespace, point.name) == (namespace, name)
            and point.dimensions.keys() == set(schema.split(","))
            and point.dimensions[dimension] == value
        ]
        distinct = sorted({tuple(dimensions.items()) for dimensions in found})
        return [
            (dict(dimensions), self.series(namespace, name, dict(dimensions), stat, int(period)))
            for dimensions in distinct
        ]

    def _of(self, namespace: str, name: str, dimensions: dict[str, str]) -> list[Point]:
        wanted = (namespace, name, dimensions)
        return [point for point in self.points if (point.namespace, point.name, point.dimensions) == wanted]

    @staticmethod
    def _by_period(points: list[Point], stat: str, period: int) -> Series:
        values: dict[int, list[float]] = {}
        for point in points:
            values.setdefault(int(point.at // period) * period, []).append(point.value)
        return {start: statistic(stat, found) for start, found in sorted(values.items())}


def alarm_state(alarm: dict[str, Any], metrics: Metrics) -> str:
    """The state of an alarm at the end. Only what the template's alarms use is known here."""
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    values, period = _watched(alarm, metrics)
    last = int(metrics.until // period)
    judged = [values.get((last - back) * period) for back in range(alarm["EvaluationPeriods"])]
    return "ALARM" if all(value is not None and value >= alarm["Threshold"] for value in judged) else "OK"


def _watched(alarm: dict[str, Any], metrics: Metrics) -> tuple[Series, int]:
    if "Metrics" not in alarm:
        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        period = alarm["Period"]
        return metrics.series(alarm["Namespace"], alarm["MetricName"], dimensions, alarm["Statistic"], period), period
    (expression,) = (one["Expression"] for one in alarm["Metrics"] if "Expression" in one)
    terms = [re.fullmatch(r"FILL\((\w+), 0\)", term)[1] for term in expression.split(" + ")]
    inputs = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}
    assert set(terms) == inputs.keys(), "the sum is of every metric"
    total: Series = {}
    for stat in inputs.values():
        metric = stat["Metric"]
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        series = metrics.series(metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"], stat["Period"])
        for start, value in series.items():
            total[start] = total.get(start, 0) + value
    (period,) = {stat["Period"] for stat in inputs.values()}
    return total, period
