"""CloudWatch Logs Insights in miniature: the commands and functions that the saved queries use, and no others."""

from __future__ import annotations

import re
from typing import Any

Row = dict[str, Any]


def run(query: str, lines: list[Row]) -> list[Row]:
    """The rows that a query finds in JSON lines. `@timestamp` is the `timestamp` of a line."""
    rows = [{**line, "@timestamp": line["timestamp"]} for line in lines]
    commands = [re.sub(r"\s+", " ", command).strip() for command in query.split("|")]
    if commands[0].startswith("SOURCE "):
        commands = commands[1:]
    for command in commands:
        name, _, rest = command.partition(" ")
        rows = _COMMANDS[name](rest, rows)
    return rows


def _fields(names: str, rows: list[Row]) -> list[Row]:
    return [{**row, "": tuple(name.strip() for name in names.split(","))} for row in rows]


def _filter(condition: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if all(_holds(term.strip(), row) for term in condition.split(" and "))]


def _holds(term: str, row: Row) -> bool:
    if match := re.fullmatch(r"ispresent\((\w+)\)", term):
        return row.get(match[1]) is not None
    name, literal = re.fullmatch(r'(\w+) = ("[^"]*"|\d+)', term).groups()
    return row.get(name) == (literal[1:-1] if literal.startswith('"') else int(literal))


def _sort(rest: str, rows: list[Row]) -> list[Row]:
    name, order = rest.split(" ")
    present = [row for row in rows if row.get(name) is not None]
    return sorted(present, key=lambda row: row[name], reverse={"asc": False, "desc": True}[order])


def _limit(rest: str, rows: list[Row]) -> list[Row]:
    return rows[: int(rest)]


def _stats(rest: str, rows: list[Row]) -> list[Row]:
    columns, _, keys = rest.rpartition(" by ")
    names = [key.strip() for key in keys.split(",")]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in names), []).append(row)
    found = re.findall(r"(\w+)\(([^)]+)\) as (\w+)", columns)
    assert len(found) == columns.count("("), columns
    return [
        {**dict(zip(names, key, strict=True)), **{to: _FUNCTIONS[function](of, group) for function, of, to in found}}
        for key, group in groups.items()
    ]


def _values(name: str, rows: list[Row]) -> list[Any]:
    return [row[name] for row in rows if row.get(name) is not None]


def _latest(name: str, rows: list[Row]) -> Any:
    values = _values(name, sorted(rows, key=lambda row: row["@timestamp"]))
    return values[-1] if values else None


_FUNCTIONS = {
    "count": lambda name, rows: len(rows) if name == "*" else len(_values(name, rows)),
    "latest": _latest,
    "max": lambda name, rows: max(_values(name, rows)),
}
_COMMANDS = {"fields": _fields, "filter": _filter, "sort": _sort, "limit": _limit, "stats": _stats}
