"""What `sam build` makes of the template, as `make package` left it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from local.deployment.template import ROOT
from local.stack import RELEASE_BINARY


@pytest.fixture(scope="module")
def artifact() -> Path:
    """The deployment package's only file. The architecture is the template's default, whatever this machine is."""
    built = ROOT / ".aws-sam/build/CheckFunction"
    assert built.is_dir(), f"{built} is missing: make package"
    assert [file.name for file in built.iterdir()] == ["bootstrap"]
    return built / "bootstrap"


def test_every_suite_runs_the_binary_that_is_deployed(artifact: Path) -> None:
    assert artifact.read_bytes() == RELEASE_BINARY.read_bytes(), "one of them is stale: make package"


def test_the_binary_runs_on_lambda(artifact: Path) -> None:
    """On x86_64 Linux, with the glibc of provided.al2023."""
    binary = artifact.read_bytes()
    assert (binary[:6], binary[18:20]) == (b"\x7fELF\x02\x01", b"\x3e\x00")
    assert os.access(artifact, os.X_OK)
    needed = {tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)", binary)}
    assert (2, 0) < max(needed) <= (2, 34)


def test_the_built_template_is_what_would_be_deployed(artifact: Path) -> None:
    built = (artifact.parents[1] / "template.yaml").read_text(encoding="utf-8")
    assert "CodeUri: CheckFunction" in built
    assert not re.search(r"[:-] [&*]id\d", built), "CloudFormation knows no YAML aliases"
