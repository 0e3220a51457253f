"""The one wait loop of the local tools and the tests."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
"""An event that must happen is given up on after this long, on any machine."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll a condition that another thread or process makes true. Raises TimeoutError with `what` was expected."""
    end, pause = time.monotonic() + seconds, 0.01
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * 1.2, 0.1)  # a look can cost the processor more than what it waits for
