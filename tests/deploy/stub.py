"""How to deploy a function that answers by a script; see stub_function.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def stub(directory: Path, *script: dict[str, Any]) -> dict[str, Any]:
    """A deployment's arguments for it. `directory` keeps count of its invocations."""
    counter = directory / "invocations"
    counter.unlink(missing_ok=True)
    env = {"STUB_SCRIPT": json.dumps(script), "STUB_COUNT": str(counter)}
    return {"binary": Path(__file__).with_name("stub_function.py"), "env": env}
