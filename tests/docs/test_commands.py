"""Every command in the guides runs as it stands, or is marked as requiring an account."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.watch_job.conftest import CREDENTIALS, Terminal, terminal  # noqa: F401 - a fixture

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDES = ["runbook.md", "integrate.md", "evaluate.md", "metrics.md", "terminal.md"]


def commands() -> list[str]:
    """The blocks that no account is needed for."""
    found = []
    for guide in GUIDES:
        text = (DOCS / guide).read_text(encoding="utf-8")
        found += re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return found


def test_what_needs_an_account_says_so():
    for guide in GUIDES:
        for mark, block in re.findall(r"```(sh.*?)\n(.*?)```", (DOCS / guide).read_text(encoding="utf-8"), re.DOTALL):
            needs_an_account = re.search(r"\b(aws|sam|make watch)\b", block) is not None
            assert (mark == "sh account") == (needs_an_account or "export STACK" in block), block


@pytest.mark.parametrize("command", commands())
def test_commands(terminal: Terminal, tmp_path, command):  # noqa: F811 - the fixture
    terminal.zoho.start_job(job_id="3652397000009565021", run_seconds=1)
    terminal.zoho.advance(2)
    (tmp_path / "zoho.json").write_text(json.dumps(CREDENTIALS), encoding="utf-8")
    env = {**terminal.env, "PATH": f"{terminal.watch_job.parent}:{terminal.env['PATH']}"}
    shown = subprocess.run(
        ["bash", "-eu", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
