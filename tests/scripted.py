"""How to deploy scripted_function.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCRIPTED_FUNCTION = Path(__file__).with_name("scripted_function.py")


def stub(directory: Path, *script: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a deployment with this script. `directory` keeps the count of its invocations."""
    counter = directory / "invocations"
    counter.unlink(missing_ok=True)
    return {"binary": SCRIPTED_FUNCTION, "env": {"SCRIPT": json.dumps(script), "COUNT": str(counter)}}
