"""A clock that can be moved and sped up, and how a process gets to see it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

# Replaces the wall clock of a process. What measures durations (timeouts, timers) stays as it is.
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, time);
    if (id == CLOCK_REALTIME && result == 0) {
        double passed = time->tv_sec + time->tv_nsec / 1e9 - atof(getenv("CLOCK_SINCE"));
        double now = atof(getenv("CLOCK_START")) + passed * atof(getenv("CLOCK_SPEED"));
        time->tv_sec = now;
        time->tv_nsec = (now - time->tv_sec) * 1e9;
    }
    return result;
}
"""


class Clock:
    """Seconds since the epoch that pass `speed` times as fast as real ones (0 stops the clock)."""

    def __init__(self, speed: float = 1.0) -> None:
        self._now, self._anchor, self.speed = time.time(), time.monotonic(), speed

    def now(self) -> float:
        return self._now + (time.monotonic() - self._anchor) * self.speed

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the new time."""
        self._now, self._anchor = self.now() + seconds, time.monotonic()
        return self._now

    def set_speed(self, speed: float) -> None:
        """From now on, one real second is `speed` simulated seconds."""
        self.advance(0)
        self.speed = speed

    async def sleep_until(self, at: float) -> None:
        while (left := at - self.now()) > 0:
            await asyncio.sleep(min(left / max(self.speed, 0.01), 1))

    def variables(self, directory: Path) -> dict[str, str]:
        """The environment in which a process has this clock as its wall clock, if it is fast: the C compiler that
        links Rust makes a library for it in that directory.
        """
        if self.speed == 1:
            return {}
        source, library = directory / "clock.c", directory / "clock.so"
        source.write_text(_SOURCE, encoding="utf-8")
        command = [os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"]
        subprocess.run(command, check=True)
        start, since = repr(self.now()), repr(time.time())
        return {
            "LD_PRELOAD": str(library),
            "CLOCK_START": start,
            "CLOCK_SINCE": since,
            "CLOCK_SPEED": repr(self.speed),
        }
