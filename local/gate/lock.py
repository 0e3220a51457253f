"""Checks that local/requirements.txt has what pyproject.toml asks for: `make lock` brings them together."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def missing(pyproject: dict, lock: str) -> list[str]:
    """The pins that the lock does not have. `moto[server]==5` is locked as `moto==5`."""
    locked = {line.split()[0].lower() for line in lock.splitlines() if "==" in line}
    pins = {pin for group in pyproject["dependency-groups"].values() for pin in group}
    return sorted(pin for pin in pins if re.sub(r"\[.*\]", "", pin.lower()) not in locked)


if __name__ == "__main__":
    pins = missing(
        tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8")),
        Path("local/requirements.txt").read_text(encoding="utf-8"),
    )
    for pin in pins:
        print(f"local/requirements.txt does not have {pin}. Run `make lock`")
    sys.exit(bool(pins))
