"""Writes a release into a directory, byte for byte the same for the same inputs: `python -m local.release DIRECTORY`.

One archive with all that a deployment needs; beside it, the function's package and `watch-job` alone, and checksums.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "mass-change-owner-status"
PACKAGE = f"{NAME}.zip"
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}  # as AWS and Rust call them
DEPLOYED = ["statemachine/*.asl.json", "samconfig.toml", "schemas/*.json", "*.md", "docs/*.md", "LICENSE-*"]
# What the package says about the age of its file: the oldest time that the format can express.
_TIME = (1980, 1, 1, 0, 0, 0)


def version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]


def package(binary: Path) -> bytes:
    """The function's deployment package: a ZIP file without anything that differs from build to build."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap", _TIME)
        entry.create_system = 3  # Unix: the permissions count
        entry.external_attr = 0o100755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, binary.read_bytes(), compresslevel=9)
    return written.getvalue()


def archive(folder: str, files: dict[str, bytes]) -> bytes:
    """A compressed tar file with one folder, in the same way."""
    written = io.BytesIO()
    with gzip.GzipFile(fileobj=written, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(content), 0o755 if name == "watch-job" else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def licenses(architecture: str) -> str:
    """The license texts of all crates that are linked into the two programs."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--features", "cli"]
    command += ["--filter-platform", f"{ARCHITECTURES[architecture]}-unknown-linux-gnu"]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    linked, new = set(), [next(one["id"] for one in found["packages"] if one["name"] == NAME)]
    while new:
        linked.add(one := new.pop())
        for dependency in nodes[one]["deps"]:
            if dependency["pkg"] not in linked and any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                new.append(dependency["pkg"])
    texts: dict[str, list[str]] = {}
    for crate in found["packages"]:
        if crate["id"] in linked and crate["source"]:
            files = [
                file.read_text(encoding="utf-8", errors="replace").strip()
                for file in Path(crate["manifest_path"]).parent.iterdir()
                if re.match("LICEN[CS]E|COPYING|NOTICE|COPYRIGHT", file.name, re.IGNORECASE) and file.is_file()
            ]
            for text in files or ["The package of this crate contains no license file."]:
                texts.setdefault(text, []).append(f"{crate['name']} {crate['version']} ({crate['license']})")
    rule = "=" * 80
    entries = sorted((sorted(set(crates)), text) for text, crates in texts.items())
    return "\n\n".join(f"{rule}\n{', '.join(crates)}\n{rule}\n{text}" for crates, text in entries) + "\n"


def packaged_template(architecture: str) -> str:
    """The template with the package in the place of the sources: whoever deploys it needs no compiler."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    build = r"    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties: \{Binary: [\w-]+\}\n"
    text, builds = re.subn(build, "", text)
    text, codes = re.subn(r"^      CodeUri: \.$", f"      CodeUri: {PACKAGE}", text, flags=re.MULTILINE)
    text, architectures = re.subn(r"(  Architecture:\n(?:    .*\n)*?    Default: )\w+", rf"\g<1>{architecture}", text)
    if (builds, codes, architectures) != (1, 1, 1):
        raise ValueError("template.yaml builds its function in another way than this program expects")
    return text


def write(directory: Path, function: Path, watch_job: Path, architecture: str = "x86_64") -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    files = {str(path.relative_to(ROOT)): path.read_bytes() for found in DEPLOYED for path in ROOT.glob(found)}
    files |= {"template.yaml": packaged_template(architecture).encode(), PACKAGE: package(function)}
    files |= {"THIRD-PARTY-LICENSES.txt": licenses(architecture).encode()}
    files["watch-job"] = watch_job.read_bytes()
    files["SHA256SUMS"] = checksums(files)
    folder = f"{NAME}-{version()}"
    beside = {
        f"{folder}-{architecture}.tar.gz": archive(folder, files),
        f"{NAME}-{architecture}.zip": files[PACKAGE],
        f"watch-job-{ARCHITECTURES[architecture]}-linux": files["watch-job"],
    }
    for name, content in {**beside, "SHA256SUMS": checksums(beside)}.items():
        (directory / name).write_bytes(content)


def checksums(files: dict[str, bytes]) -> bytes:
    """As `sha256sum -c` takes them."""
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())
    ).encode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.release", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--function", type=Path, default=ROOT / f"target/lambda/{NAME}/bootstrap")
    parser.add_argument("--watch-job", type=Path, default=ROOT / "target/lambda/watch-job/bootstrap")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="x86_64")
    parser.add_argument("--tag", help="fail unless this tag is that of the version")
    arguments = parser.parse_args()
    if arguments.tag and arguments.tag != f"v{version()}":
        print(f"the tag is {arguments.tag}, but Cargo.toml has the version {version()}", file=sys.stderr)
        return 1
    write(arguments.directory, arguments.function, arguments.watch_job, arguments.architecture)
    print((arguments.directory / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
