"""The watch in a terminal: the same check, without AWS."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from local.demo import narrator
from local.stack import Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET

ROOT = Path(__file__).resolve().parents[2]
BUILDS = [ROOT / "target" / profile / "watch-job" for profile in ("release", "debug", "quick")]
PARTIALLY_SUCCEEDED = 3


def newest_build() -> Path | None:
    """The binary of `make watch-job`, of the Rust tests, or of `make run`."""
    return max(filter(Path.is_file, BUILDS), key=lambda path: path.stat().st_mtime, default=None)


def run(stack: Stack, request: dict[str, str]) -> bool:
    """Run `watch-job` for a job that has ended; true if its exit code is the outcome of the job."""
    built = newest_build()
    if built is None:
        narrator.line("   It is not built: `make watch-job` does so.")
        return True
    env = {
        "PATH": os.environ.get("PATH", ""),
        "ZOHO_API_DOMAIN": stack.zoho.url,
        "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
        "ZOHO_CREDENTIALS": json.dumps(REFRESH_TOKEN_SECRET),
    }
    command = [built, request["module"], request["job_id"], "--no-cache"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True)
    narrator.block(f"watch-job {' '.join(command[1:])}", shown.stdout + shown.stderr)
    narrator.line(f"   exit code {shown.returncode}" + (": partially succeeded" if shown.returncode == 3 else ""))
    return shown.returncode == PARTIALLY_SUCCEEDED
