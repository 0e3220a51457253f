"""Plays the acts, one after the other, on a stack of their own. Exits with 0 if all ended as they should."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

from local.demo import state_machine, watch
from local.demo.narrator import Narrator
from local.stack import Stack

# An act is told to an audience and played on a stack; it says whether it ended as it should.
ACTS = [watch.act, state_machine.act]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--speed", type=float, default=25, help="how much faster than ours Zoho's clock runs (25)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    narrator = Narrator(sys.stdout)
    narrator.title("A Zoho CRM “mass change owner” job, watched to its end. All of it runs on this machine.")
    good = True
    try:
        with Stack(step_functions=True) as stack:
            try:
                for act in ACTS:
                    good &= act(narrator, stack, arguments.speed)
            finally:
                # What was started is now stopped, whatever else the audience may press.
                _ignore_signals()
                narrator.end_progress()
    finally:
        left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    narrator.step("Everything that was started has been stopped again.")
    if left or not good:
        narrator.line("It did not end as it should." if not good else f"Still running: {', '.join(left)}")
        return 1
    return 0


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
