"""The output of the demonstration: plain lines and, on a terminal, a progress bar."""

from __future__ import annotations

import shutil
import textwrap
from typing import TextIO

_BAR = 30


class Narrator:
    """Writes to a terminal or a file. Only a terminal gets colors and the progress bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._steps = 0
        self._shows_progress = False
        self.is_terminal = stream.isatty()

    @property
    def _width(self) -> int:
        return min(shutil.get_terminal_size((100, 24)).columns, 110)

    def title(self, text: str) -> None:
        self.line()
        self.line(self._styled("1", text))

    def step(self, text: str) -> None:
        """Print a numbered sentence about what happens next."""
        self._steps += 1
        self.line()
        filled = textwrap.fill(f"{self._steps}. {text}", self._width, subsequent_indent="   ", break_on_hyphens=False)
        self.line(self._styled("1;36", filled))

    def line(self, text: str = "") -> None:
        """Print a line, in place of the progress bar if there is one."""
        self.end_progress()
        print(text, file=self._stream, flush=True)

    def block(self, heading: str, text: str) -> None:
        """Print a text unchanged, with a heading."""
        self.line()
        self.line(f"   {heading}")
        self.line(textwrap.indent(text.rstrip(), self._styled("2", "   │ "), lambda _: True))

    def progress(self, percent: int | None, text: str) -> None:
        """Update the progress bar. Does nothing if the output is not a terminal."""
        if not self.is_terminal:
            return
        done = _BAR * (percent or 0) // 100
        bar = "█" * done + "░" * (_BAR - done)
        figure = "  ? %" if percent is None else f"{percent:3} %"
        print(f"\r\x1b[2K   {bar} {figure}  {text}"[: self._width + 5], end="", file=self._stream, flush=True)
        self._shows_progress = True

    def end_progress(self) -> None:
        if self._shows_progress:
            print("\r\x1b[2K", end="", file=self._stream, flush=True)
            self._shows_progress = False

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.is_terminal else text
