"""Runs the demonstration on its own local stack. The exit status is 0 if every part ended as expected."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

from local.demo import state_machine, terminal, watch
from local.demo.narrator import Narrator
from local.stack import Stack

# Each part runs on the stack, prints what happens, and returns whether it ended as expected.
PARTS = [watch.run, state_machine.run, terminal.run]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--speed", type=float, default=25, help="simulated seconds per real second (25)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    narrator = Narrator(sys.stdout)
    narrator.title("Watching a Zoho CRM “mass change owner” job. Everything runs on this machine.")
    as_expected = True
    try:
        with Stack(step_functions=True) as stack:
            try:
                for run in PARTS:
                    as_expected &= run(narrator, stack, arguments.speed)
            finally:
                # From here on, everything is being stopped: a second Ctrl-C must not interrupt that.
                _ignore_signals()
                narrator.end_progress()
    finally:
        left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    narrator.step("All processes have been stopped.")
    if not as_expected:
        narrator.line("   The demonstration did not end as expected.")
    if left:
        narrator.line(f"   Still running: {', '.join(left)}")
    return 0 if as_expected and not left else 1


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
