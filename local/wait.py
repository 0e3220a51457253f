"""The one wait loop of the local tools and the tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 60.0  # an event that must happen is given up on after this long, on any machine


def wait_until(condition: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS, longest: float = 0.1) -> T:
    """Poll a condition until it gives something true, with pauses of `longest` at most, and return that.

    Raises TimeoutError with `what` was expected.
    """
    end, pause = time.monotonic() + seconds, 0.01
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * 1.2, longest)  # a look can cost the processor more than what it waits for
    return found
