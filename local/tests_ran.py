"""Says how many tests ran in all: `python -m local.tests_ran RUST_LOG PYTEST_XML`."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree
from pathlib import Path


def rust_tests(log: str) -> int:
    """The tests that passed, from the output of `cargo nextest`, of `cargo test`, or of both."""
    by_nextest = re.findall(r"^\s*Summary \[.*?\] *(\d+) tests? run:", log, re.MULTILINE)
    by_cargo = re.findall(r"^test result: \w+\. (\d+) passed", log, re.MULTILINE)
    return sum(map(int, by_nextest + by_cargo))


def python_tests(junit: str) -> int:
    """The tests that passed or failed, skipped ones not counted."""
    suites = xml.etree.ElementTree.fromstring(junit).iter("testsuite")
    return sum(int(suite.get("tests", 0)) - int(suite.get("skipped", 0)) for suite in suites)


def main(rust_log: str, pytest_xml: str) -> None:
    rust = rust_tests(Path(rust_log).read_text(encoding="utf-8"))
    python = python_tests(Path(pytest_xml).read_text(encoding="utf-8"))
    print(f"{rust + python} tests ran: {rust} in Rust, {python} in Python")


if __name__ == "__main__":
    main(*sys.argv[1:])
