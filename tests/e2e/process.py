"""What a process uses, from /proc."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Usage:
    """The resources of a process: resident memory now and at its maximum in bytes, open files, and threads."""

    resident: int
    peak: int
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        resident, peak, threads = (int(status[name].split()[0]) for name in ("VmRSS", "VmHWM", "Threads"))
        return cls(resident * 1024, peak * 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), threads)
