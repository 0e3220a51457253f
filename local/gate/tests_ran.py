"""Counts the tests that ran: `python -m local.gate.tests_ran NEXTEST_XML DOCTEST_LOG PYTEST_XML`.

The last line has a form that build servers read. Exits with 1 if a test failed, or if a runner ran none.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Count:
    """How many tests passed and failed; skipped ones did not run."""

    passed: int = 0
    failed: int = 0

    @property
    def ran(self) -> int:
        return self.passed + self.failed

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed)


def junit(xml_text: str) -> Count:
    """From a JUnit report, which nextest and pytest both write."""
    count = Count()
    for case in xml.etree.ElementTree.fromstring(xml_text).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            count += Count(failed=1)
        elif "skipped" not in outcomes:
            count += Count(passed=1)
    return count


def doctests(log: str) -> Count:
    """From the output of `cargo test --doc`: rustdoc writes no report."""
    summaries = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed;", log, re.MULTILINE)
    return sum((Count(int(passed), int(failed)) for passed, failed in summaries), Count())


def main(nextest_xml: str, doctest_log: str, pytest_xml: str) -> int:
    rust, docs, python = (
        read(Path(path).read_text(encoding="utf-8"))
        for read, path in ((junit, nextest_xml), (doctests, doctest_log), (junit, pytest_xml))
    )
    total = rust + docs + python
    print(f"{total.ran} tests ran: {rust.ran} in Rust, {docs.ran} in its documentation, {python.ran} in Python")
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not (rust.ran and python.ran) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
