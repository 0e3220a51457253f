"""Writes what the deployed binary is made of, as a CycloneDX document: `python -m local.gate.sbom FILE`."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

TARGET = "x86_64-unknown-linux-gnu"


def deployed(metadata: dict) -> dict[str, list[str]]:
    """The packages that are linked into the binary or build it, each with those it depends on. Tests have more."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found: dict[str, list[str]] = {}
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package in found:
            continue
        found[package] = [
            dependency["pkg"]
            for dependency in nodes[package]["deps"]
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
        ]
        waiting += found[package]
    return found


def component(package: dict, checksums: dict[tuple[str, str], str], kind: ComponentType) -> Component:
    name, version = package["name"], package["version"]
    checksum = checksums.get((name, version))
    license_expression = package["license"]
    return Component(
        type=kind,
        name=name,
        version=version,
        description=package["description"],
        purl=PackageURL("cargo", name=name, version=version),
        bom_ref=f"{name}@{version}",
        # Cargo's old form of "or" is no SPDX expression.
        licenses=[LicenseFactory().make_from_string(license_expression.replace("/", " OR "))],
        hashes=[HashType.from_composite_str(f"sha256:{checksum}")] if checksum else [],
    )


def bom(metadata: dict, lock: dict) -> Bom:
    checksums = {(crate["name"], crate["version"]): crate.get("checksum", "") for crate in lock["package"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    root = metadata["resolve"]["root"]
    graph = deployed(metadata)
    components = {
        package: component(
            packages[package],
            checksums,
            ComponentType.APPLICATION if package == root else ComponentType.LIBRARY,
        )
        for package in graph
    }
    document = Bom(components=[components[package] for package in graph if package != root])
    document.metadata.component = components[root]
    for package, dependencies in graph.items():
        document.register_dependency(components[package], [components[dependency] for dependency in dependencies])
    return document


def main(path: str) -> None:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    lock = tomllib.loads(Path("Cargo.lock").read_text(encoding="utf-8"))
    document = bom(metadata, lock)
    # The same for the same commit: a release is compared byte for byte.
    commit = subprocess.run(["git", "log", "-1", "--format=%cI"], stdout=subprocess.PIPE, text=True, check=True)
    document.metadata.timestamp = datetime.fromisoformat(commit.stdout.strip())
    document.serial_number = uuid5(NAMESPACE_URL, Path("Cargo.lock").read_text(encoding="utf-8"))
    Path(path).write_text(JsonV1Dot6(document).output_as_string(indent=2) + "\n", encoding="utf-8")
    print(f"{path}: {len(document.components)} crates")


if __name__ == "__main__":
    main(*sys.argv[1:])
