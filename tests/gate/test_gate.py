"""The steps of the gate that are the project's own: each rejects what it is there to reject."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from local.gate import lock, msrv, sbom, tests_ran
from local.gate.credentials import ZohoDetector
from local.gate.tests_ran import Count

JUNIT = """
<testsuites>
  <testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>
  <testsuite><testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase></testsuite>
  <testsuite><testcase name="e"/></testsuite>
</testsuites>
"""
DOCTESTS = """
running 4 tests
---- src/a.rs - a (line 21) stdout ----
error: no
test result: FAILED. 3 passed; 1 failed; 0 ignored;
"""


def test_failures_and_errors_count_as_failed_and_skipped_tests_do_not_count() -> None:
    assert tests_ran.junit(JUNIT) == Count(passed=2, failed=("b", "d"))
    assert tests_ran.doctests(DOCTESTS) == Count(passed=3, failed=("src/a.rs - a (line 21)",))
    assert tests_ran.doctests("error: could not compile") == Count()


OK = "<t><testcase/></t>"


@pytest.mark.parametrize(
    ("nextest", "doc", "status", "last_line"),
    [
        (OK, "1 passed; 0 failed;", 0, "3 passed, 0 failed"),
        ('<t><testcase classname="c" name="n"><failure/></testcase></t>', "1 passed;", 1, "2 passed, 1 failed"),
        ("<t/>", "1 passed;", 1, "2 passed, 0 failed"),
        (OK, "0 passed;", 1, "2 passed, 0 failed"),
    ],
)
def test_the_count_fails_with_a_test_or_when_a_runner_ran_none(
    nextest: str, doc: str, status: int, last_line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = {"nextest": nextest, "doc": f"test result: ok. {doc}", "pytest": OK}
    for name, text in reports.items():
        (tmp_path / name).write_text(text)
    assert tests_ran.main(*(str(tmp_path / name) for name in reports)) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == last_line
    assert ("failed: c n" in lines) == ("failure" in nextest)


def crate(name: str, rust_version: str | None) -> dict:
    return {"id": name, "name": name, "version": "1.0.0", "rust_version": rust_version}


def test_a_crate_that_needs_a_newer_rust_is_named() -> None:
    crates = [crate("ours", "1.9"), crate("old", "1.8.5"), crate("same", "1.9.0"), crate("silent", None)]
    assert msrv.too_new({"packages": crates, "resolve": {"root": "ours"}}) == ("1.9", [])
    crates.append(crate("new", "1.10"))
    assert msrv.too_new({"packages": crates, "resolve": {"root": "ours"}})[1] == ["new 1.0.0 needs Rust 1.10"]


def test_a_pin_that_the_lock_does_not_have_is_named() -> None:
    pyproject = {"dependency-groups": {"a": ["Moto[server]==5.2.5", "boto3==1.2"], "b": ["boto3==1.2", "h11==0.1"]}}
    locked = "moto==5.2.5 \\\n    --hash=sha256:00\nboto3==1.2 ; python_version > '3'\nh11==0.16 \\\n"
    assert lock.missing(pyproject, locked) == ["h11==0.1"]


def test_every_mutant_of_the_simulation_fits_the_source() -> None:
    mutants = runpy.run_path("tests/simulation/mutants.py")["MUTANTS"]
    assert [name for name, file, old, _ in mutants if Path(file).read_text().count(old) != 1] == []
    assert len(mutants) >= 10


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('"access_token": "1000.' + "0a" * 16 + "." + "1b" * 16, True),
        ('"client_id": "1000.' + "A1" * 15, True),
        ("version 1000.20", False),
        ("1000.SIMULATEDCLIENTID", False),
    ],
)
def test_zoho_credentials_are_recognized(line: str, found: bool) -> None:
    assert bool(list(ZohoDetector().analyze_string(line))) == found


def test_the_bill_of_materials_leaves_out_what_only_tests_need() -> None:
    def node(name: str, **kinds: str | None) -> dict:
        return {"id": name, "deps": [{"pkg": pkg, "dep_kinds": [{"kind": kind}]} for pkg, kind in kinds.items()]}

    nodes = [node("ours", tls=None, mock="dev"), node("tls", cc="build"), node("cc"), node("mock", regex=None)]
    graph = sbom.deployed({"resolve": {"root": "ours", "nodes": nodes}})
    assert graph == {"ours": ["tls"], "tls": ["cc"], "cc": []}
