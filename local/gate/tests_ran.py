"""Counts the tests that ran: `python -m local.gate.tests_ran NEXTEST_XML DOCTEST_LOG PYTEST_XML`.

Names the tests that failed. The last line has a form that build servers read. Exits with 1 if a test failed, or if a
runner ran none.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Count:
    """How many tests passed, and the names of those that failed; skipped ones did not run."""

    passed: int = 0
    failed: tuple[str, ...] = ()

    @property
    def ran(self) -> int:
        return self.passed + len(self.failed)

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed)


def junit(xml_text: str) -> Count:
    """From a JUnit report, which nextest and pytest both write."""
    count = Count()
    for case in xml.etree.ElementTree.fromstring(xml_text).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            count += Count(failed=(" ".join(filter(None, (case.get("classname"), case.get("name")))),))
        elif "skipped" not in outcomes:
            count += Count(passed=1)
    return count


def doctests(log: str) -> Count:
    """From the output of `cargo test --doc`: rustdoc writes no report."""
    passed = re.findall(r"^test result: \w+\. (\d+) passed;", log, re.MULTILINE)
    failed = re.findall(r"^---- (.+) stdout ----$", log, re.MULTILINE)
    return Count(sum(map(int, passed)), tuple(failed))


def main(nextest_xml: str, doctest_log: str, pytest_xml: str) -> int:
    counts = [
        read(Path(path).read_text(encoding="utf-8"))
        for read, path in ((junit, nextest_xml), (doctests, doctest_log), (junit, pytest_xml))
    ]
    rust, docs, python = counts
    total = rust + docs + python
    for name in total.failed:
        print(f"failed: {name}")
    print(f"{total.ran} tests ran: {rust.ran} in Rust, {docs.ran} in its documentation, {python.ran} in Python")
    print(f"{total.passed} passed, {len(total.failed)} failed")
    return 0 if all(count.ran for count in counts) and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
