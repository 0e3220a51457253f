"""What a process uses, from /proc."""

from __future__ import annotations

import re
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
        status = Path(f"/proc/{pid}/status").read_text()

        def field(name: str) -> int:
            found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
            assert found, name
            return int(found[1])

        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(field("VmRSS") * 1024, field("VmHWM") * 1024, files, field("Threads"))
