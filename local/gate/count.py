"""Counts the tests in JUnit reports: `python -m local.gate.count REPORT...`.

Names the tests that failed; the last line has a form that build servers read. A report without tests is a failure.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def read(report: str) -> tuple[int, list[str]]:
    """How many tests passed, and the names of those that failed."""
    cases = [(case, {child.tag for child in case}) for case in ElementTree.fromstring(report).iter("testcase")]
    failed = [f"{case.get('classname')} {case.get('name')}" for case, tags in cases if tags & {"failure", "error"}]
    return sum(not tags & {"failure", "error", "skipped"} for _, tags in cases), failed


def main(*paths: str) -> int:
    counts = [read(Path(path).read_text(encoding="utf-8")) for path in paths]
    failed = [name for _, names in counts for name in names]
    print(*(f"failed: {name}" for name in failed), sep="\n")
    print(f"{sum(passed for passed, _ in counts)} passed, {len(failed)} failed")
    return 1 if failed or not all(passed for passed, _ in counts) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
