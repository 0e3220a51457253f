"""Links between the pages, and from the principles to the code that shows them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
PAGES = [ROOT / name for name in LISTED.split()]


def anchors(page: Path) -> set[str]:
    """Those that GitHub makes of the headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\((?!https?:)([^)\s]*)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_code_has_what_shows_the_principles():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    evidence = re.findall(r"`([\w:]+)` in \[[\w.]+\]\(\.\./([\w./]+)\)", text)
    assert len(evidence) >= 8
    for name, path in evidence:
        assert re.search(rf"\b{name.rsplit('::')[-1]}\b", (ROOT / path).read_text(encoding="utf-8")), (name, path)
