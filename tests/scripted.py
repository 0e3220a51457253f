"""How to deploy scripted_function.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SCRIPTED_FUNCTION = Path(__file__).with_name("scripted_function.py")


def stub(directory: Path, *script: dict[str, Any], compose: dict[str, Any] | None = None) -> dict[str, Any]:
    """The arguments of a deployment with this script. `directory` keeps the payloads of its invocations."""
    log = directory / "payloads"
    log.unlink(missing_ok=True)
    env = {"SCRIPT": json.dumps(script), "COMPOSE": json.dumps(compose), "PAYLOADS": str(log)}
    env["PATH"] = str(Path(sys.executable).parent)  # not a version manager's python3, which starts a shell first
    return {"binary": SCRIPTED_FUNCTION, "env": env}


def payloads(directory: Path) -> list[dict[str, Any]]:
    """The payloads of the invocations, in order."""
    return [json.loads(line) for line in (directory / "payloads").read_text(encoding="utf-8").splitlines()]
