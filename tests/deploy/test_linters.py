"""The template and the definitions, as every tool that reads them finds them: without a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.deployment import STATE_MACHINES, template
from local.deployment.template import ROOT, definition

TOOLS = Path(sys.executable).parent


def run(*command: str | Path) -> str:
    """A tool's output; its findings are the failure's message."""
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sam_and_cfn_lint_find_the_template_valid() -> None:
    run(TOOLS / "sam", "validate", "--lint", "-t", ROOT / "template.yaml", "--region", "us-east-1")


@pytest.mark.parametrize("resource", STATE_MACHINES)
def test_statelint_finds_nothing_in_the_state_machines(resource: str, tmp_path: Path) -> None:
    machine = json.loads(definition(resource, template.resolve()))
    for state in machine["States"].values():
        # The settings of S3's reader are AWS's own: statelint knows the language only.
        state.get("ItemReader", {}).pop("ReaderConfig", None)
    (file := tmp_path / "definition.json").write_text(json.dumps(machine))
    run(TOOLS / "statelint", file)


# What checkov reports, and why it stays: by resource and check.
ACCEPTED = {
    "AlarmTopic CKV_AWS_26": "CloudWatch cannot use the AWS managed key; the messages hold names of alarms and numbers",
    "DeadLetterQueue CKV_AWS_27": "SQS encrypts with its own key; messages hold module names, job IDs, and counts",
    "CheckFunction CKV_AWS_117": "a VPC would add a NAT gateway and no protection: it calls public endpoints only",
    "CheckFunction CKV_AWS_173": "the environment holds names and numbers; Lambda encrypts it with its own key",
    "CheckFunction CKV_AWS_116": "what keeps failing goes to DeadLetterQueue, as the on-failure destination",
    "CheckFunctionLogs CKV_AWS_158": "logs hold names, IDs, and counts; CloudWatch Logs encrypts them with its own key",
}


def test_checkov_finds_only_what_is_accepted_for_a_reason(tmp_path: Path) -> None:
    (expanded := tmp_path / "expanded.json").write_text(json.dumps(template.expanded(), indent=1))
    options = ("--framework", "cloudformation", "--skip-download", "--soft-fail", "--output", "json")
    results = json.loads(run(TOOLS / "checkov", *options, "-f", expanded))["results"]
    found = {f"{check['resource'].split('.')[-1]} {check['check_id']}" for check in results["failed_checks"]}
    assert found == ACCEPTED.keys()
