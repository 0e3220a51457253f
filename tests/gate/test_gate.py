"""The steps of the gate that are the project's own: each rejects what it is there to reject."""

from __future__ import annotations

import pytest

from local.gate import count
from local.gate.credentials import ZohoDetector

OK = "<t><testcase/></t>"
FAILED = """<t><testcase name="a"/><testcase classname="c" name="b"><failure/></testcase>
<testcase name="s"><skipped/></testcase><testcase classname="c" name="d"><error/></testcase></t>"""


@pytest.mark.parametrize(
    ("report", "status", "last_line"),
    [
        (OK, 0, "2 passed, 0 failed"),
        (FAILED, 1, "2 passed, 2 failed"),
        ("<t/>", 1, "1 passed, 0 failed"),
    ],
)
def test_the_count_fails_with_a_test_or_when_a_runner_ran_none(report, status, last_line, tmp_path, capsys) -> None:
    (tmp_path / "one").write_text(OK)
    (tmp_path / "two").write_text(report)
    assert count.main(str(tmp_path / "one"), str(tmp_path / "two")) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == last_line
    assert ("failed: c b" in lines) == (report == FAILED)


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
