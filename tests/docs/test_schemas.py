"""The schemas against every event, and every JSON example in the documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import schemas

ROOT = Path(__file__).resolve().parents[2]
EVENTS = sorted((ROOT / "events").glob("*.json"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "local/README.md"]
# Scheduler's own envelope has no request in it, whatever its target is.
WITHOUT_A_REQUEST = {"scheduler-default-envelope"}


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_events(path):
    payload = json.loads(path.read_text(encoding="utf-8"))
    valid = schemas.is_valid("request", payload)
    detail = payload.get("detail") if isinstance(payload, dict) else None
    if isinstance(detail, str):
        valid = valid and schemas.is_valid("request", json.loads(detail))
    assert valid != (path.stem.startswith("bad-") or path.stem in WITHOUT_A_REQUEST)


def whole_values(text: str) -> list[object]:
    """One JSON value after the other."""
    values, rest = [], text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    return values


def examples() -> list[tuple[str, object]]:
    """Every block of JSON that is whole: no placeholder "…" in it."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"```json\n(.*?)```", text, re.DOTALL), 1):
            values = whole_values(block) if "…" not in block else []
            found += [(f"{document.name} {number}", value) for value in values]
    return found


@pytest.mark.parametrize(
    ("name", "example"), examples(), ids=lambda value: value if isinstance(value, str) else "example"
)
def test_examples(name, example):
    """Each is of one kind that has a schema, or a part of a larger file that another test reads."""
    if "next_check_seconds" in example:
        schemas.check("report", example)
    elif "errorType" in example:
        schemas.check("error", example)
    elif isinstance(example.get("module"), str):
        schemas.check("request", example)
    else:
        # The input of a list (tests/deploy), and filter policies (test_integration.py).
        assert {"jobs", "jobs_file", "$or", "outcome"} & set(example), f"nothing checks {name}"
