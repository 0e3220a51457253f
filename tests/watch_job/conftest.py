"""The terminal watch beside a Zoho simulator."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.demo.terminal import newest_build
from local.zoho_simulator import REFRESH_TOKEN_SECRET, Zoho

CREDENTIALS = {name: value for name, value in REFRESH_TOKEN_SECRET.items() if name != "data_center"}


class Terminal:
    """Runs `watch-job` against one simulator, in a home directory of its own."""

    def __init__(self, zoho: Zoho, watch_job: Path, home: Path) -> None:
        self.watch_job = watch_job
        self.zoho = zoho.control
        self.home = home
        self.login_file = home / ".config/watch-job/credentials.json"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm-256color",
            "ZOHO_API_DOMAIN": zoho.url,
            "ZOHO_ACCOUNTS_DOMAIN": zoho.url,
            "ZOHO_CREDENTIALS": json.dumps(CREDENTIALS),
            "CHECK_INTERVAL_MIN_SECONDS": "1",
        }

    def finished(self, **job) -> str:
        """A job that has ended."""
        return self.zoho.start_job(run_seconds=0, **job)

    def run(self, *arguments: str | bytes | Path, **env: str | None) -> subprocess.CompletedProcess[str]:
        """The command as a part of a pipe. `stdin` is its input; a variable that is `None` is not set."""
        variables = {name: value for name, value in (self.env | env).items() if value is not None}
        stdin = variables.pop("stdin", "")
        return subprocess.run(
            [self.watch_job, *arguments], env=variables, input=stdin, capture_output=True, text=True, timeout=60
        )

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        return subprocess.Popen([self.watch_job, *arguments], **{"env": self.env} | options)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Runs a script of bash with `$W`, in the middle of whatever it redirects."""
        env = self.env | {"W": str(self.watch_job)}
        return subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=60)

    def screen(self, *arguments: str, act: Callable[[str], str | None] = lambda _: None, **env: str) -> tuple[int, str]:
        """The exit code, and what a terminal of 100 columns receives. `act` sees it, and returns what is typed."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        process = self.start(
            *arguments,
            env=self.env | env,
            **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        text, ends = "", time.monotonic() + 60
        while time.monotonic() < ends:
            try:
                piece = os.read(ours, 65536).decode("utf-8", "replace")
            except OSError:  # how Linux reports that the other end is closed
                break
            text += piece
            if typed := act(text):
                os.write(ours, typed.encode())
        os.close(ours)
        return process.wait(5), text


def ctrl_c_after(part: str) -> Callable[[str], str | None]:
    """Presses Ctrl-C once this part is on the screen."""
    return lambda text: "\x03" if part in text and "^C" not in text else None


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    build = newest_build()
    assert build, "watch-job is missing: make watch-job"
    with Zoho() as zoho:
        yield Terminal(zoho, build, tmp_path)
