"""The watch in a terminal: the same check, without AWS."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from local.demo.narrator import Narrator
from local.stack import Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET

ROOT = Path(__file__).resolve().parents[2]
BUILDS = [ROOT / "target/release/watch-job", ROOT / "target/debug/watch-job"]
PARTIALLY_SUCCEEDED = 3


def newest_build() -> Path | None:
    """The binary of `make watch-job`, of the Rust tests, or of `make run`."""
    return max(filter(Path.is_file, BUILDS), key=lambda path: path.stat().st_mtime, default=None)


def run(narrator: Narrator, stack: Stack, speed: float) -> bool:
    """Run `watch-job` until its job ends; true if its exit code is the outcome of the job."""
    built = newest_build()
    if built is None:
        narrator.step("The watch in a terminal is not built. `make watch-job` builds it.")
        return True
    narrator.step("The same watch runs in a terminal, for people without an AWS account: `watch-job`.")
    control = stack.zoho.control
    control.set_speed(speed)
    job_id = control.start_job(module="Contacts", total=20_000, failed=20, run_seconds=120)
    env = {
        "PATH": os.environ.get("PATH", ""),
        "TERM": os.environ.get("TERM", "dumb"),
        "ZOHO_API_DOMAIN": stack.zoho.url,
        "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
        "ZOHO_CREDENTIALS": json.dumps(REFRESH_TOKEN_SECRET),
    }
    narrator.line(f"   watch-job Contacts {job_id}")
    command = [built, "Contacts", job_id, "--min-interval", "1"]
    if narrator.is_terminal:
        code = subprocess.run(command, env=env).returncode
    else:
        shown = subprocess.run(command, env=env, capture_output=True, text=True)
        for line in (shown.stdout + shown.stderr).splitlines():
            narrator.line(f"   {line}")
        code = shown.returncode
    narrator.line(f"   exit code {code}" + (": partially succeeded" if code == PARTIALLY_SUCCEEDED else ""))
    return code == PARTIALLY_SUCCEEDED
