"""A clock that tests can move and speed up."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone


class Clock:
    """Seconds since the epoch that pass `speed` times as fast as real ones (0 stops the clock)."""

    def __init__(self, speed: float = 1.0, source: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._anchor = source()
        self._now = time.time()
        self.speed = speed

    def now(self) -> float:
        return self._now + (self._source() - self._anchor) * self.speed

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the new time."""
        if seconds < 0:
            raise ValueError("seconds must be 0 or more")
        self._rebase(self.now() + seconds)
        return self._now

    def set_speed(self, speed: float) -> None:
        """From now on, one real second is `speed` simulated seconds."""
        if speed < 0:
            raise ValueError("speed must be 0 or more")
        self._rebase(self.now())
        self.speed = speed

    def _rebase(self, now: float) -> None:
        self._now, self._anchor = now, self._source()


def iso_time(timestamp: float, utc_offset_hours: float) -> str:
    """An ISO 8601 time with the user's offset, as Zoho writes times in headers."""
    zone = timezone(timedelta(hours=utc_offset_hours))
    return datetime.fromtimestamp(timestamp, zone).isoformat(timespec="seconds")
