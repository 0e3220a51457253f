"""The terminal watch beside a Zoho simulator."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.demo.terminal import newest_build
from local.zoho_simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, Zoho

CREDENTIALS = {
    "client_id": DEFAULT_CLIENT_ID,
    "client_secret": DEFAULT_CLIENT_SECRET,
    "refresh_token": DEFAULT_REFRESH_TOKEN,
}


class Terminal:
    """Runs `watch-job` against one simulator."""

    def __init__(self, zoho: Zoho, watch_job: Path) -> None:
        self.watch_job = watch_job
        self.zoho = zoho.control
        self.env = {
            "PATH": os.environ["PATH"],
            "TERM": "xterm-256color",
            "ZOHO_API_DOMAIN": zoho.url,
            "ZOHO_ACCOUNTS_DOMAIN": zoho.url,
            "ZOHO_CREDENTIALS": json.dumps(CREDENTIALS),
            "CHECK_INTERVAL_MIN_SECONDS": "1",
        }

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The command as a part of a pipe."""
        return subprocess.run(
            [self.watch_job, *arguments], env={**self.env, **env}, capture_output=True, text=True, timeout=60
        )

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        return subprocess.Popen([self.watch_job, *arguments], env=self.env, **options)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    build = newest_build()
    assert build, "watch-job is missing: make watch-job"
    with Zoho() as zoho:
        yield Terminal(zoho, build)
