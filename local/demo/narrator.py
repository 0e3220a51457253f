"""The output of the demonstration: plain lines, with colors on a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap

_parts = iter(range(1, 100))


def title(text: str) -> None:
    line(_filled(text), "1")


def part(heading: str, shows: str) -> None:
    """Begin a part, and say in a line what it shows."""
    line()
    line(_filled(f"{next(_parts)}. {heading}"), "1;36")
    line(_filled(f"   {shows}"))


def line(text: str = "", style: str = "") -> None:
    print(f"\x1b[{style}m{text}\x1b[0m" if style and sys.stdout.isatty() else text, flush=True)


def block(heading: str, text: str) -> None:
    """Print a text unchanged, with a heading."""
    line(f"\n   {heading}")
    line(textwrap.indent(text.rstrip(), "   │ ", lambda _: True))


def _filled(text: str) -> str:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    return textwrap.fill(text, width, subsequent_indent="   ", break_on_hyphens=False)
