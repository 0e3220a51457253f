"""The JSON Schema of the embedded metric format, from its specification (Amazon CloudWatch User Guide, "Specification:
Embedded metric format"), and what the schema cannot express: the members that a directive refers to must exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jsonschema

_SIZES = [
    prefix + unit.lower() if prefix else unit
    for unit in ("Bytes", "Bits")
    for prefix in ("", "Kilo", "Mega", "Giga", "Tera")
]
_UNITS = [
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
    *_SIZES,
    *(f"{size}/Second" for size in _SIZES),
]

SCHEMA = {
    "type": "object",
    "title": "Root Node",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "title": "Metadata",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "title": "The Timestamp Schema"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "title": "MetricDirectives",
                    "items": {
                        "type": "object",
                        "title": "MetricDirective",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "title": "DimensionSet",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "title": "MetricDefinitions",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                        "Unit": {"type": "string", "enum": _UNITS},
                                        "StorageResolution": {"type": "integer", "enum": [1, 60]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def check(document: dict[str, Any]) -> None:
    """Fail if CloudWatch would not accept the document whole."""
    jsonschema.validate(document, SCHEMA)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            for name in dimensions:
                assert isinstance(document[name], str), name
                assert document[name], name
        for metric in directive["Metrics"]:
            values = _listed(document[metric["Name"]])
            assert 1 <= len(values) <= 100, metric
            assert all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values), metric


def values(documents: list[dict[str, Any]]) -> dict[tuple[str, ...], list[float]]:
    """Every value by the metric's name, unit, and the values of its dimensions."""
    found: dict[tuple[str, ...], list[float]] = {}
    for point in points(documents):
        found.setdefault((point.name, point.unit, *point.dimensions.values()), []).append(point.value)
    return found


@dataclass(frozen=True)
class Point:
    """One value of a metric. `at` is in seconds since the Unix epoch."""

    at: float
    namespace: str
    name: str
    dimensions: dict[str, str]
    value: float
    unit: str = "Count"


def points(documents: list[dict[str, Any]]) -> list[Point]:
    """Every value, in the order of the documents."""
    return [
        Point(
            document["_aws"]["Timestamp"] / 1_000,
            directive["Namespace"],
            metric["Name"],
            {name: document[name] for name in dimensions},
            value,
            metric["Unit"],
        )
        for document in documents
        for directive in document["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
        for value in _listed(document[metric["Name"]])
    ]


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]
