"""python -m local.zoho_simulator: the simulator as a standalone program."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from .oauth import REFRESH_TOKEN_SECRET
from .server import CONTROL_PREFIX, Zoho

# Long enough to be watched, with some failures.
JOB = {"run_seconds": 600, "failed": 500}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.zoho_simulator", description="Simulates Zoho CRM and Zoho accounts."
    )
    parser.add_argument("--port", type=int, default=8600, help="0 for any free port (default: 8600)")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per real second (default: 1)")
    parser.add_argument("--set", metavar="JSON", type=json.loads, default={}, help="settings: '{\"concurrency\": 5}'")
    arguments = parser.parse_args()
    # Blocked before the server thread starts, so that sigwait receives them.
    stop_signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    try:
        with Zoho(arguments.port, arguments.speed, **arguments.set) as zoho:
            print(_what_next(zoho, zoho.control.start_job(**JOB)), flush=True)
            signal.sigwait(stop_signals)
    except (OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    return 0


def _what_next(zoho: Zoho, job_id: str) -> str:
    credentials = json.dumps(REFRESH_TOKEN_SECRET)
    return f"""Zoho simulator on {zoho.url}, with a job that takes ten minutes. Ctrl-C stops it.

To watch the job, in another shell (`make watch-job` builds the program):

  export ZOHO_API_DOMAIN={zoho.url} ZOHO_ACCOUNTS_DOMAIN={zoho.url}
  export ZOHO_CREDENTIALS='{credentials}'
  target/release/watch-job Leads {job_id}

To start another job, or to let half an hour pass:

  curl -d '{{"module": "Deals", "run_seconds": 60}}' {zoho.url}{CONTROL_PREFIX}start_job
  curl -d '{{"seconds": 1800}}' {zoho.url}{CONTROL_PREFIX}advance
"""


if __name__ == "__main__":
    sys.exit(main())
