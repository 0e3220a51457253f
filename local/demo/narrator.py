"""The output of the demonstration: plain lines, with colors on a terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import TextIO


class Narrator:
    """Writes to a terminal or a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._parts = 0
        self.is_terminal = stream.isatty()

    def title(self, text: str) -> None:
        self.line(self._styled("1", self._filled(text)))

    def part(self, heading: str, shows: str) -> None:
        """Begin a part, and say in a line what it shows."""
        self._parts += 1
        self.line("\n" + self._styled("1;36", self._filled(f"{self._parts}. {heading}")))
        self.line(self._filled(f"   {shows}"))

    def line(self, text: str = "", style: str = "") -> None:
        print(self._styled(style, text) if style else text, file=self._stream, flush=True)

    def block(self, heading: str, text: str) -> None:
        """Print a text unchanged, with a heading."""
        self.line(f"\n   {heading}")
        self.line(textwrap.indent(text.rstrip(), self._styled("2", "   │ "), lambda _: True))

    def _filled(self, text: str) -> str:
        width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        return textwrap.fill(text, width, subsequent_indent="   ", break_on_hyphens=False)

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.is_terminal else text
