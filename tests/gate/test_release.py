"""A release: the same bytes for the same inputs, a template that needs no compiler, and one version everywhere."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local.release import __main__ as release
from local.release.__main__ import ROOT, ZIP


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    binary, sbom = tmp_path / "bootstrap", tmp_path / "sbom.json"
    binary.write_bytes(b"\x7fELF" + bytes(10_000))
    sbom.write_text("{}", encoding="utf-8")
    return binary, sbom


def test_the_same_inputs_give_the_same_bytes(inputs, tmp_path):
    for name in ("one", "two"):
        release.write(tmp_path / name, *inputs)
        inputs[0].touch()
    sums = [(tmp_path / name / "SHA256SUMS").read_text(encoding="utf-8") for name in ("one", "two")]
    assert sums[0] == sums[1]
    for line in sums[0].splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "one" / name).read_bytes()).hexdigest() == digest
    names = {line.split("  ")[1] for line in sums[0].splitlines()}
    assert {ZIP, "template.yaml", "sbom.cdx.json", "function.tf", "function.cdk.ts"} <= names


def test_the_archive_holds_one_executable(inputs, tmp_path):
    release.write(tmp_path / "dist", *inputs)
    with zipfile.ZipFile(tmp_path / "dist" / ZIP) as package:
        (entry,) = package.infolist()
        assert (entry.filename, entry.external_attr >> 16) == ("bootstrap", 0o100755)
        assert package.read(entry) == inputs[0].read_bytes()


def test_the_template_refers_to_what_is_there(inputs, tmp_path):
    dist = tmp_path / "dist"
    release.write(dist, *inputs)
    packaged = yaml_parse((dist / "template.yaml").read_text(encoding="utf-8"))
    source = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    function = packaged["Resources"]["CheckFunction"]
    assert (dist / function["Properties"]["CodeUri"]).is_file()
    assert "BuildMethod" not in function["Metadata"]
    for resource in packaged["Resources"].values():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            assert json.loads((dist / resource["Properties"]["DefinitionUri"]).read_text(encoding="utf-8"))
    assert packaged["Outputs"] == source["Outputs"]


def test_version_changelog_and_tags_agree():
    version = release.version()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert latest is not None
    assert latest[1] == version
    tags = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    assert set(tags.split()) <= {f"v{version}"}


def test_another_tag_is_no_release(inputs, tmp_path):
    command = [sys.executable, "-m", "local.release", tmp_path / "dist", "--sbom", inputs[1], "--tag", "v99.0.0"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "v99.0.0" in refused.stderr
    assert not (tmp_path / "dist").exists()
