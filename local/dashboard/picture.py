"""The picture: every widget at its place, in colors that can be read on white and on black."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from local.dashboard.scenario import clock
from local.dashboard.widgets import Alarms, Chart, Content, Table

# One cell of the dashboard's grid of 24 columns.
COLUMN, ROW = 46, 40
MARGIN, GAP, FOOTER = 8, 4, 34
LETTER = 6.5  # the mean width at 11 px
COLORS = ["#3b82f6", "#e8833a", "#2a9d6f", "#d64550", "#9a6fe0", "#0e9aa7", "#c04f9c", "#94763a"]
STYLE = """\
text { font: 11px system-ui, sans-serif; fill: #757d87 }
.title { font-size: 13px; font-weight: 600 }
.head { font-weight: 600 }
.grid { stroke: #757d87; stroke-opacity: .25; fill: none }
.frame { stroke: #757d87; stroke-opacity: .45; fill: none }
.line { fill: none; stroke-linejoin: round }
.ok { fill: #2a9d6f }
.alarm { fill: #d64550 }
.state { fill: #fff; font-weight: 600 }
"""


def svg(widgets: list[tuple[dict[str, Any], Content]], until: float, note: str) -> str:
    """The widgets with their contents. The time axis ends at `until` seconds; `note` is the line at the bottom."""
    rows = max(widget["y"] + widget["height"] for widget, _ in widgets)
    width, height = 24 * COLUMN + 2 * MARGIN, rows * ROW + 2 * MARGIN + FOOTER
    body: list[str] = []
    for widget, content in widgets:
        left, top = MARGIN + widget["x"] * COLUMN + GAP, MARGIN + widget["y"] * ROW + GAP
        size = (widget["width"] * COLUMN - 2 * GAP, widget["height"] * ROW - 2 * GAP)
        body.append(f'<g transform="translate({left} {top})">')
        body.append(f'<rect class="frame" width="{size[0]}" height="{size[1]}" rx="4"/>')
        body.append(_text(10, 19, widget["properties"]["title"], "title"))
        body += _content(content, *size, until)
        body.append("</g>")
    body.append(_text(MARGIN + GAP, height - MARGIN - 8, note))
    lines = "\n".join(body)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The dashboard of a run on the local stack</title>
<style>{STYLE}</style>
{lines}
</svg>
"""


def _content(content: Content, width: float, height: float, until: float) -> Iterator[str]:
    if isinstance(content, Alarms):
        return _alarms(content, width, height)
    if isinstance(content, Table):
        return _table(content, width, height)
    return _chart(content, width, height, until)


def _alarms(content: Alarms, width: float, height: float) -> Iterator[str]:
    step = (width - 20) / len(content.states)
    for index, (name, state) in enumerate(content.states.items()):
        x = 10 + index * step
        kind = "alarm" if state == "ALARM" else "ok"
        label = "In alarm" if state == "ALARM" else "OK"
        yield f'<rect class="{kind}" x="{x:.1f}" y="{height - 40}" width="{step - 6:.1f}" height="32" rx="3"/>'
        yield _text(x + 8, height - 27, name.removesuffix("Alarm"), "state")
        yield _text(x + 8, height - 13, label, "state")


def _table(content: Table, width: float, height: float) -> Iterator[str]:
    if not content.rows:
        yield _text(10, 44, "No results")
        return
    widths = _column_widths(content, width - 20)
    rows = [(34 + 20 * number, row) for number, row in enumerate([content.columns, *content.rows])]
    for top, row in rows:
        if top + 20 > height:
            break
        x = 10.0
        for cell, cell_width in zip(row, widths, strict=True):
            yield _text(x, top + 13, _cut(cell, cell_width - 12), "head" if row is content.columns else "")
            x += cell_width
        yield f'<path class="grid" d="M10 {top + 19}H{width - 10}"/>'


def _column_widths(content: Table, width: float) -> list[float]:
    """As wide as the longest cell. Columns that are too long share what is left."""
    cells = zip(content.columns, *content.rows, strict=True)
    wanted = [max(map(len, column)) * LETTER + 22 for column in cells]
    fitting = [one for one in wanted if one <= width / 2]
    long = len(wanted) - len(fitting)
    left = (width - sum(fitting)) / max(1, long)
    spread = left / len(wanted) if long == 0 else 0.0
    return [one + spread if one <= width / 2 else left for one in wanted]


def _cut(text: str, width: float) -> str:
    letters = int(width / (LETTER - 0.9))  # prose is narrower than names and digits
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _chart(content: Chart, width: float, height: float, until: float) -> Iterator[str]:
    legend = list(_legend(content, width))
    left, right, top = 44.0, width - 14, 34.0
    bottom = height - 26 - 16 * len(legend)
    periods = range(0, int(until // content.period) * content.period + 1, content.period)
    stacks = _stacked(content, periods) if content.stacked else [(label, series, {}) for label, series in content.lines]
    most = max((max(series.values(), default=0) for _, series, _ in stacks), default=0)
    step = _step(most, content.unit == "")
    ceiling = step * max(1, math.ceil(most / step))

    def x(seconds: float) -> float:
        return left + (right - left) * seconds / periods[-1]

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / ceiling

    for number in range(round(ceiling / step) + 1):
        height_of = y(number * step)
        yield f'<path class="grid" d="M{left} {height_of:.1f}H{right}"/>'
        yield _text(left - 6, height_of + 4, f"{number * step:,.10g}", anchor="end")
    if content.unit:
        yield _text(right, 19, content.unit, anchor="end")
    for seconds in range(0, periods[-1] + 1, 900):
        yield _text(x(seconds), bottom + 15, clock(seconds), anchor="middle")
    for number, (_, series, below) in enumerate(stacks):
        color = COLORS[number % len(COLORS)]
        if content.stacked:
            upper = " ".join(f"{x(at):.1f},{y(series[at]):.1f}" for at in periods)
            lower = " ".join(f"{x(at):.1f},{y(below[at]):.1f}" for at in reversed(periods))
            yield f'<polygon points="{upper} {lower}" fill="{color}" fill-opacity=".75"/>'
            continue
        # Those below are wider, so that equal lines are seen.
        thickness = 1.6 * (len(stacks) - number)
        for run in _runs(series, content.period):
            points = " ".join(f"{x(at):.1f},{y(series[at]):.1f}" for at in run)
            yield f'<polyline class="line" points="{points}" stroke="{color}" stroke-width="{thickness:.1f}"/>'
        for at, value in series.items():
            yield f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="{thickness / 2 + 1.4:.1f}" fill="{color}"/>'
    for number, row in enumerate(legend):
        for offset, color, label in row:
            at = height - 12 - 16 * (len(legend) - 1 - number)
            yield f'<rect x="{offset:.1f}" y="{at - 8}" width="10" height="10" rx="2" fill="{color}"/>'
            yield _text(offset + 14, at + 1, label)


def _legend(content: Chart, width: float) -> Iterator[list[tuple[float, str, str]]]:
    """Rows of offsets, colors, and labels."""
    row: list[tuple[float, str, str]] = []
    offset = 10.0
    for number, (label, _) in enumerate(content.lines):
        # Names in capitals are wider.
        needed = 14 + len(label) * (LETTER + 1.6 * label.isupper()) + 16
        if row and offset + needed > width:
            yield row
            row, offset = [], 10.0
        row.append((offset, COLORS[number % len(COLORS)], label))
        offset += needed
    yield row


def _stacked(content: Chart, periods: range) -> list[tuple[str, dict[int, float], dict[int, float]]]:
    """Each series on top of those before it. A period without a value counts as zero."""
    below = dict.fromkeys(periods, 0.0)
    stacks = []
    for label, series in content.lines:
        upper = {at: below[at] + series.get(at, 0.0) for at in periods}
        stacks.append((label, upper, below))
        below = upper
    return stacks


def _runs(series: dict[int, float], period: int) -> Iterator[list[int]]:
    """The periods that follow one another: a line has a gap where there was no value."""
    run: list[int] = []
    for at in series:
        if run and at != run[-1] + period:
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def _step(most: float, whole: bool) -> float:
    """The distance of the lines of the grid: 1, 2, or 5 times a power of ten, for about four lines."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= most / 4)
    return max(1.0, step) if whole else step


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    of_kind = f' class="{kind}"' if kind else ""
    at = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{of_kind} x="{x:.1f}" y="{y:.1f}"{at}>{escape(text)}</text>'
