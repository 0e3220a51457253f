"""A release: the same bytes for the same inputs, a template that needs no compiler, and one version everywhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local import release, verification
from local.release import PACKAGE, ROOT


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "bootstrap"
    path.write_bytes(b"\x7fELF" + bytes(10_000))
    return path


def test_the_same_inputs_give_the_same_bytes_with_all_that_a_deployment_needs(binary, tmp_path):
    for name in ("one", "two"):
        release.write(tmp_path / name, binary)
        binary.touch()
    assert (tmp_path / "one/SHA256SUMS").read_bytes() == (tmp_path / "two/SHA256SUMS").read_bytes()
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=tmp_path / "one", check=True)
    with zipfile.ZipFile(tmp_path / "one" / f"{release.NAME}-{release.version()}.zip") as everything:
        everything.extractall(unpacked := tmp_path / "unpacked")
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=unpacked, check=True)
    packaged = yaml_parse((unpacked / "template.yaml").read_text(encoding="utf-8"))
    source = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    function = packaged["Resources"]["CheckFunction"]
    assert "BuildMethod" not in function["Metadata"]
    with zipfile.ZipFile(unpacked / function["Properties"]["CodeUri"]) as package:
        (entry,) = package.infolist()
        assert (entry.filename, entry.external_attr >> 16) == ("bootstrap", 0o100755)
        assert package.read(entry) == binary.read_bytes()
    for resource in packaged["Resources"].values():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            assert json.loads((unpacked / resource["Properties"]["DefinitionUri"]).read_text(encoding="utf-8"))
    assert packaged["Outputs"] == source["Outputs"]
    assert (unpacked / "samconfig.toml").is_file()
    assert PACKAGE in (unpacked / "SHA256SUMS").read_text(encoding="utf-8")


def test_version_changelog_and_tags_agree():
    version = release.version()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert versions[0] == version
    tags = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    assert set(tags.split()) <= {f"v{version}"}


def test_another_tag_is_no_release(tmp_path):
    command = [sys.executable, "-m", "local.release", tmp_path / "dist", "--tag", "v99.0.0"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "v99.0.0" in refused.stderr
    assert not (tmp_path / "dist").exists()


def test_the_verification_on_aws_asks_for_what_the_template_has():
    text = Path(verification.__file__).read_text(encoding="utf-8")
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    assert set(re.findall(r'\.output\("(\w+)"\)', text)) <= template["Outputs"].keys()
    resources = {*re.findall(r'\.(?:resource|start)\("(\w+)"', text), *verification.MACHINES}
    assert resources <= template["Resources"].keys()
    assert len(verification.QUESTIONS) == 8
