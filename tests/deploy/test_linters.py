"""The template and the definitions, as every tool that reads them finds them: without a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.deployment import STATE_MACHINES, template
from local.deployment.template import ROOT, TEMPLATE, definition

TOOLS = Path(sys.executable).parent


def run(*command: str | Path) -> str:
    """A tool's output; its findings are the failure's message."""
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the template as plain CloudFormation."""
    file = tmp_path_factory.mktemp("template") / "expanded.json"
    file.write_text(json.dumps(template.expanded(), indent=1))
    return file


def test_sam_and_cfn_lint_find_the_template_valid() -> None:
    run(TOOLS / "sam", "validate", "--lint", "-t", TEMPLATE, "--region", "us-east-1")


def test_cfn_lint_finds_nothing_in_what_the_template_expands_to(expanded: Path) -> None:
    run(TOOLS / "cfn-lint", "--regions", "us-east-1", "--", expanded)


@pytest.mark.parametrize("resource", STATE_MACHINES)
def test_statelint_finds_nothing_in_the_state_machines(resource: str, tmp_path: Path) -> None:
    machine = json.loads(definition(resource, template.resolve()))
    for state in machine["States"].values():
        # The settings of S3's reader are AWS's own: statelint knows the language only.
        state.get("ItemReader", {}).pop("ReaderConfig", None)
    (file := tmp_path / "definition.json").write_text(json.dumps(machine))
    run(TOOLS / "statelint", file)


def test_checkov_finds_nothing_without_a_reason_beside_the_resource(expanded: Path) -> None:
    options = ("--framework", "cloudformation", "--skip-download", "--output", "json")
    results = json.loads(run(TOOLS / "checkov", *options, "-f", expanded))["results"]
    assert results["failed_checks"] == []
    skipped = {(check["resource"].split(".")[-1], check["check_id"]) for check in results["skipped_checks"]}
    reasoned = {
        (name, skip["id"])
        for name, resource in template.source()["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    assert skipped == reasoned, "a reason is given for what is not a finding"
