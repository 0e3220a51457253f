"""What `sam build` makes of the template, as `make package` left it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from local.deployment.template import ROOT
from local.stack import RELEASE_BINARY

# The glibc of provided.al2023.
GLIBC = (2, 34)


@pytest.fixture(scope="module")
def artifact() -> Path:
    """The deployment package's only file. The architecture is the template's default, whatever this machine is."""
    built = ROOT / ".aws-sam/build/CheckFunction"
    assert built.is_dir(), f"{built} is missing: make package"
    assert [file.name for file in built.iterdir()] == ["bootstrap"]
    return built / "bootstrap"


def test_every_suite_runs_the_binary_that_is_deployed(artifact: Path) -> None:
    assert artifact.read_bytes() == RELEASE_BINARY.read_bytes(), "one of them is stale: make package"


def test_the_binary_is_for_x86_64_linux(artifact: Path) -> None:
    header = artifact.read_bytes()[:20]
    assert header[:6] == b"\x7fELF\x02\x01"
    assert header[18:20] == b"\x3e\x00"
    assert os.access(artifact, os.X_OK)


def test_the_binary_needs_no_newer_glibc_than_lambda_has(artifact: Path) -> None:
    needed = {
        tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)", artifact.read_bytes())
    }
    assert needed
    assert max(needed) <= GLIBC


def test_the_built_template_is_what_would_be_deployed(artifact: Path) -> None:
    built = (artifact.parents[1] / "template.yaml").read_text(encoding="utf-8")
    assert "CodeUri: CheckFunction" in built
    # CloudFormation knows no YAML aliases.
    assert not re.search(r"[:-] [&*]id\d", built)
