"""What `sam build` makes of the template: built for real, looked into, and run. Slow the first time."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local.deployment import Deployment
from local.deployment.template import ROOT

# The glibc of provided.al2023.
GLIBC = (2, 34)


@pytest.fixture(scope="module")
def artifact() -> Path:
    """The deployment package's only file. The architecture is the template's default, whatever this machine is."""
    done = subprocess.run(["make", "--silent", "package"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    built = ROOT / ".aws-sam/build/CheckFunction"
    assert [file.name for file in built.iterdir()] == ["bootstrap"]
    return built / "bootstrap"


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


def test_the_built_binary_watches_a_job(artifact: Path, deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(binary=artifact)
    job_id = deployment.local.zoho.control.start_job(run_seconds=0)
    assert deployment.watch({"module": "Leads", "job_id": job_id}).output["outcome"] == "SUCCEEDED"
