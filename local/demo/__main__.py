"""Runs the demonstration on its own local stack. The exit status is 0 if every part ended as expected."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from local.demo import narrator
from local.demo.story import tell
from local.deployment import Deployment
from local.stack import QUICK_BINARY, Stack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--speed", type=float, default=50, help="how much faster than real time it is (50)")
    parser.add_argument("--binary", type=Path, default=QUICK_BINARY, help="the function (that of `make run`)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    narrator.title(
        f"Zoho CRM “mass change owner” jobs are watched here, {arguments.speed:g} times as fast as real time."
        " Waits and intervals are those of production."
    )
    with Stack(step_functions=True, schedules=True, speed=arguments.speed, token_life_seconds=86_400) as stack:
        try:
            with Deployment(stack, binary=arguments.binary, CheckIntervalMinSeconds=10) as deployment:
                as_expected = tell(stack, deployment)
        finally:
            # From here on, everything is being stopped: a second Ctrl-C must not interrupt that.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    narrator.line("\nAll processes have been stopped.")
    if not as_expected:
        narrator.line("The demonstration did not end as expected.")
    return 0 if as_expected else 1


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
