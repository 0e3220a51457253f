"""Every command in the guides runs as it stands, or is marked as requiring an account."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.watch_job.conftest import CREDENTIALS, Terminal, terminal  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NEEDS_AN_ACCOUNT = re.compile(r"\b(aws|sam|make watch|cargo lambda|export STACK)\b")
# The gate runs the second one, and tests/e2e/test_demo.py what the first one shows.
NEWCOMERS = re.compile(r"make run .*\nmake test .*\n")


def blocks() -> list[tuple[str, str]]:
    """What marks each block of commands, and the commands."""
    texts = [guide.read_text(encoding="utf-8") for guide in GUIDES]
    return [block for text in texts for block in re.findall(r"^```(sh.*)\n((?:(?!```).*\n)*)```$", text, re.MULTILINE)]


def commands() -> list[str]:
    """The blocks that no account is needed for."""
    return [block for mark, block in blocks() if mark == "sh" and not NEWCOMERS.fullmatch(block)]


def test_what_needs_an_account_says_so():
    assert len(blocks()) > 10
    for mark, block in blocks():
        assert mark.startswith("sh account") == bool(NEEDS_AN_ACCOUNT.search(block)), block


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
