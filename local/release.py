"""Writes a release into a directory, byte for byte the same for the same inputs: `python -m local.release DIRECTORY`.

The function's package, one archive with everything that a deployment needs, and the checksums of both.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "mass-change-owner-status"
PACKAGE = f"{NAME}.zip"
DEPLOYED = ["statemachine/*.asl.json", "samconfig.toml", "schemas/*.json", "README.md", "CHANGELOG.md", "LICENSE-*"]
# What the archives say about the age of a file: the oldest time that the format can express.
_TIME = (1980, 1, 1, 0, 0, 0)


def version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]


def archive(path: Path, files: dict[str, bytes]) -> None:
    """A ZIP file without anything that differs from build to build."""
    with zipfile.ZipFile(path, "w") as written:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix: the permissions count
            entry.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, content, compresslevel=9)


def packaged_template() -> str:
    """The template with the package in the place of the sources: whoever deploys it needs no compiler."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    build = r"      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: [\w-]+\n"
    text, builds = re.subn(build, "", text)
    text, codes = re.subn(r"^      CodeUri: \.$", f"      CodeUri: {PACKAGE}", text, flags=re.MULTILINE)
    if (builds, codes) != (1, 1):
        raise ValueError("template.yaml builds its function in another way than this program expects")
    return text


def write(directory: Path, binary: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    archive(directory / PACKAGE, {"bootstrap": binary.read_bytes()})
    files = {str(path.relative_to(ROOT)): path.read_bytes() for found in DEPLOYED for path in ROOT.glob(found)}
    files |= {"template.yaml": packaged_template().encode(), PACKAGE: (directory / PACKAGE).read_bytes()}
    files["SHA256SUMS"] = checksums(files)
    archive(directory / f"{NAME}-{version()}.zip", files)
    written = {path.name: path.read_bytes() for path in directory.iterdir()}
    (directory / "SHA256SUMS").write_bytes(checksums(written))


def checksums(files: dict[str, bytes]) -> bytes:
    """As `sha256sum -c` takes them."""
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())
    ).encode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.release", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--binary", type=Path, default=ROOT / f"target/lambda/{NAME}/bootstrap")
    parser.add_argument("--tag", help="fail unless this tag is that of the version")
    arguments = parser.parse_args()
    if arguments.tag and arguments.tag != f"v{version()}":
        print(f"the tag is {arguments.tag}, but Cargo.toml has the version {version()}", file=sys.stderr)
        return 1
    write(arguments.directory, arguments.binary)
    print((arguments.directory / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
