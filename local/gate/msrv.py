"""Checks the declared `rust-version`: no crate in Cargo.lock may need a newer Rust.

Clippy's `incompatible_msrv` checks the standard library's API in the same way. The workflow also compiles with that
version, which needs a toolchain that a developer's machine may not have.
"""

from __future__ import annotations

import json
import subprocess
import sys


def version(text: str) -> tuple[int, ...]:
    """`1.85` means `1.85.0`."""
    numbers = tuple(map(int, text.split(".")))
    return numbers + (0,) * (3 - len(numbers))


def too_new(metadata: dict) -> tuple[str, list[str]]:
    """The declared version, and the crates that need a newer one."""
    packages = metadata["packages"]
    (declared,) = (package["rust_version"] for package in packages if package["id"] == metadata["resolve"]["root"])
    newer = [
        f"{package['name']} {package['version']} needs Rust {package['rust_version']}"
        for package in packages
        if package["rust_version"] and version(package["rust_version"]) > version(declared)
    ]
    return declared, newer


def main() -> int:
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    declared, newer = too_new(metadata)
    for crate in newer:
        print(f"Cargo.toml declares rust-version {declared}, but {crate}")
    return 1 if newer else 0


if __name__ == "__main__":
    sys.exit(main())
