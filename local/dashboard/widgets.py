"""What each widget of a dashboard shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.cloudwatch import insights
from local.cloudwatch.metrics import Metrics, Series, alarm_state


@dataclass(frozen=True)
class Observed:
    """What CloudWatch knows: log lines, metrics, and the alarms by their ARN."""

    lines: list[dict[str, Any]]
    metrics: Metrics
    alarms: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Alarms:
    """The states of alarms by name."""

    states: dict[str, str]


@dataclass(frozen=True)
class Chart:
    """Lines over time."""

    lines: list[tuple[str, Series]]
    period: int
    stacked: bool
    unit: str


@dataclass(frozen=True)
class Table:
    """Rows of texts."""

    columns: list[str]
    rows: list[list[str]]


Content = Alarms | Chart | Table


def evaluate(widget: dict[str, Any], observed: Observed) -> Content:
    """The content of a widget. A kind of widget that is not known here is a KeyError."""
    return _KINDS[widget["type"]](widget["properties"], observed)


def _alarms(properties: dict[str, Any], observed: Observed) -> Alarms:
    return Alarms(
        {arn.rsplit("-", 1)[1]: alarm_state(observed.alarms[arn], observed.metrics) for arn in properties["alarms"]}
    )


def _chart(properties: dict[str, Any], observed: Observed) -> Chart:
    period = properties["period"]
    lines: list[tuple[str, Series]] = []
    for metric in properties["metrics"]:
        if isinstance(metric[0], dict):
            dimension = re.fullmatch(r"\$\{PROP\('Dim\.(\w+)'\)\}", metric[0]["label"])[1]
            found = observed.metrics.search(metric[0]["expression"])
            lines += [(dimensions[dimension], series) for dimensions, series in found]
        else:
            namespace, name, *pairs, rendering = metric
            dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
            series = observed.metrics.series(namespace, name, dimensions, rendering["stat"], period)
            lines.append((rendering["label"], series))
    unit = properties.get("yAxis", {}).get("left", {}).get("label", "")
    return Chart(lines, period, properties.get("stacked", False), unit)


def _table(properties: dict[str, Any], observed: Observed) -> Table:
    rows = insights.run(properties["query"], observed.lines)
    columns = list(rows[0]) if rows else []
    return Table(columns, [["" if row[name] is None else str(row[name]) for name in columns] for row in rows])


_KINDS: dict[str, Callable[[dict[str, Any], Observed], Content]] = {
    "alarm": _alarms,
    "metric": _chart,
    "log": _table,
}
