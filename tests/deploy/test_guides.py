"""The commands of the runbook and the guides, run as they stand by the AWS CLI on the local stack.

A block that cannot run here says why after its mark: ```sh account: the reason.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

from local.deployment import Deployment
from local.deployment.template import ROOT
from local.wait import wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.deploy.reports import JOB_ID
from tests.deploy.scenarios import REQUEST
from tests.deploy.shell import as_operator, make

# Version 1 of the CLI, which is the one on PyPI, does not read AWS_ENDPOINT_URL for SQS in us-east-1.
AWS = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
BLOCK = re.compile(r"^ *```sh account\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def block(page: str, section: str) -> str:
    """The commands of a section."""
    text = (ROOT / page).read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (found,) = BLOCK.findall(text)
    return textwrap.dedent(found)


def run(deployment: Deployment, folder: Path, commands: str, **changes: str) -> str:
    """What a block prints, for this stack and with other values in its first line."""
    for name, value in {"STACK": deployment.name, **changes}.items():
        commands = re.sub(rf"\b{name}=('[^']*'|\S+)", f"{name}={value}", commands, count=1)
    commands = commands.replace("--stack-name mass-change-owner-status", f"--stack-name {deployment.name}")
    done = as_operator(deployment, ["bash", "-eu", "-o", "pipefail", "-c", AWS + commands], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_block_runs_here_or_says_why_not() -> None:
    run_here = {("docs/deploy.md", 1), ("docs/integrate.md", 1), ("docs/runbook.md", 6)}
    pages = [path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]]
    found = {page: len(BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))) for page in pages}
    assert {(page, count) for page, count in found.items() if count} == run_here


def test_the_runbook(deploy: Callable[..., Deployment], tmp_path: Path) -> None:
    deployment = deploy(CheckIntervalMaxSeconds=1)
    zoho = deployment.stack.zoho.control

    def runbook(section: str, **changes: str) -> str:
        return run(deployment, tmp_path, block("docs/runbook.md", section), **changes)

    # A watch of a job that does not exist, and again after the job was started.
    assert deployment.watch(REQUEST).error == "JobNotFound"
    zoho.start_job(job_id=JOB_ID, run_seconds=1_000)
    assert '"RUNNING"' in runbook("Check a job now")
    assert runbook("Watch again", ERROR="TokenRejected") == ""
    assert runbook("Watch again", ERROR="JobNotFound", SINCE="'0 seconds'") == ""
    (again,) = runbook("Watch again", ERROR="JobNotFound").split()
    execution = deployment.execution(again)
    execution.wait_for("WaitStateEntered")

    # Another list and a schedule, and everything stopped.
    other = zoho.start_job(module="Deals", run_seconds=1_000)
    many = deployment.watch_many({"jobs": [{"module": "Deals", "job_id": other}]})
    wait_until(lambda: len(deployment.executions()) == 3, "the start of the listed watch")
    assert make(deployment, "watch-schedule", MODULE="Leads", JOB_ID=JOB_ID).returncode == 0
    stopped = runbook("Stop everything")
    assert stopped == (tmp_path / "stopped.txt").read_text(encoding="utf-8")
    assert {again, many.arn} <= set(re.findall(r"^stopped (.*)$", stopped, re.MULTILINE))
    assert f"deleted schedule Leads-{JOB_ID}" in stopped
    assert (execution.status, many.status) == ("ABORTED", "ABORTED")

    deployment.stack.deliver(deployment.template.arns["DeadLetterQueue"], '{"lost": 1}', "operator")
    assert "lost" in runbook("The dead-letter queue")
    assert "sqs" in runbook("Emails stopped")

    (tmp_path / "secret.json").write_text(json.dumps({**REFRESH_TOKEN_SECRET, "data_center": "EU"}))
    runbook("Replace the credentials")
    secret = deployment.stack.client("secretsmanager").get_secret_value(SecretId=deployment.name)
    assert json.loads(secret["SecretString"])["data_center"] == "EU"


def test_a_queue_that_gets_the_ends(deployment: Deployment, tmp_path: Path) -> None:
    sqs = deployment.stack.client("sqs")
    name = deployment.stack.unique("owner-changes")
    run(deployment, tmp_path, block("docs/integrate.md", "Receive the announcements"), QUEUE=name)
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=0)
    assert deployment.watch(REQUEST).status == "SUCCEEDED"
    (message,) = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"])["outcome"] == "SUCCEEDED"
