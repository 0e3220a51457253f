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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_examples(document):
    """Each is of one kind that has a schema, or a part of a larger file that another test reads."""
    for block in re.findall(r"```json\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        if "…" in block:
            continue
        for example in json.loads(f"[{re.sub(r'^(?=[{])', ',', block, flags=re.MULTILINE)[1:]}]"):
            if "next_check_seconds" in example:
                schemas.check("report", example)
            elif "errorType" in example:
                schemas.check("error", example)
            elif isinstance(example.get("module"), str):
                schemas.check("request", example)
            else:
                # The input of a list (tests/deploy), and filter policies (test_integration.py).
                assert {"jobs", "jobs_file", "$or", "outcome"} & set(example), f"nothing checks {example}"
