"""The demonstration ends as expected, and it leaves no process behind when it is interrupted."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "local.demo"]


def descendants(pid: int) -> set[int]:
    """A process's children and their children, from /proc."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The second field is the program's name in parentheses, which can contain anything.
            parents[int(file.parent.name)] = int(file.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
    found, generation = set(), {pid}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation}
        found |= generation
    return found


def test_it_shows_the_watch_and_the_message():
    shown = subprocess.run([*DEMO, "--speed", "250"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stderr == ""
    for part in (
        "check  1",
        "COMPLETED",
        "PARTIALLY_SUCCEEDED",
        "49,500 of 50,000 updated, 500 failed",
        "Text for email subscribers",
        "1 access token minted",
        "exit code 3: partially succeeded",
    ):
        assert part in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_terminal_gets_a_progress_bar():
    ours, theirs = pty.openpty()
    # Slow enough that the first check finds the job running on any machine.
    shown = subprocess.Popen([*DEMO, "--speed", "60"], cwd=ROOT, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # on Linux, the other end has been closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    assert shown.wait(60) == 0
    assert text.count(b"next check in") > 5
    assert "█".encode() in text


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_no_process_when_interrupted(number):
    shown = subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in shown.stdout:
        if "check  2" in line:
            break
    started = descendants(shown.pid)
    assert len(started) == 2, "moto and the function"
    shown.send_signal(number)
    _, errors = shown.communicate(timeout=30)
    assert shown.returncode == 128 + number
    assert errors == ""
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
