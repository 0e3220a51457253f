"""The demonstration ends as expected, and it leaves no process behind when it is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from local.stack import RELEASE_BINARY

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "local.demo", "--binary", str(RELEASE_BINARY)]


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs, from /proc."""
    children = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        children += map(int, file.read_text().split())
    return children + [one for child in children for one in descendants(child)]


def test_it_tells_its_story():
    shown = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stderr == ""
    for part in (
        "ZohoUnavailable    in",
        "failed check",
        "rate",
        "PARTIALLY_SUCCEEDED",
        "is gone",
        "Email: Not watched: Zoho CRM Contacts owner change, job ...0000",
        "exit code 3: partially succeeded",
    ):
        assert part in shown.stdout
    assert "\x1b" not in shown.stdout


def test_it_leaves_no_process_when_interrupted():
    shown = subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    next(line for line in shown.stdout if "%   in " in line)
    started = descendants(shown.pid)
    assert len(started) >= 2, "moto and the function"
    shown.send_signal(signal.SIGINT)
    _, errors = shown.communicate(timeout=30)
    assert (shown.returncode, errors) == (128 + signal.SIGINT, "")
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
