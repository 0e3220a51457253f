"""The commands that the stack's outputs hold, run as they stand by the AWS CLI through `make`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.aws_endpoint.moto_process import CREDENTIALS, REGION
from local.deployment import Deployment
from local.deployment.template import ROOT
from local.stack import Stack
from local.wait import wait_until

JOB_ID = "3652397000009565021"


def make(deployment: Deployment, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a make target against the deployment, whose outputs CloudFormation knows."""
    cloudformation = deployment.stack.client("cloudformation")
    if deployment.name not in {stack["StackName"] for stack in cloudformation.list_stacks()["StackSummaries"]}:
        outputs = {name: {"Value": value} for name, value in deployment.template.outputs.items()}
        group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": deployment.name}}
        template = {"Resources": {"Something": group}, "Outputs": outputs}
        cloudformation.create_stack(StackName=deployment.name, TemplateBody=json.dumps(template))
    environment = {
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": deployment.stack.endpoint_url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    arguments = [f"{name}={value}" for name, value in {"STACK": deployment.name, **variables}.items()]
    return subprocess.run(
        ["make", "--silent", target, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def scheduled_input(schedule: dict[str, Any]) -> dict[str, Any]:
    """What EventBridge Scheduler would send, with its context attributes filled in."""
    return json.loads(schedule["Target"]["Input"].replace("<aws.scheduler.schedule-arn>", schedule["Arn"]))


def make_schedule(deployment: Deployment, job_id: str = JOB_ID) -> dict[str, Any]:
    done = make(deployment, "watch-schedule", MODULE="Leads", JOB_ID=job_id)
    assert done.returncode == 0, done.stderr
    group = deployment.template.properties("ScheduleGroup")["Name"]
    return deployment.stack.client("scheduler").get_schedule(GroupName=group, Name=f"Leads-{job_id}")


def schedules(deployment: Deployment) -> list[str]:
    group = deployment.template.properties("ScheduleGroup")["Name"]
    return [one["Name"] for one in deployment.stack.client("scheduler").list_schedules(GroupName=group)["Schedules"]]


# ---- the state machines ---------------------------------------------------------------------------------------


def test_a_watch_is_named_after_the_job_and_started_once(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(CheckIntervalMaxSeconds=1)
    zoho = deployment.stack.zoho.control
    zoho.start_job(job_id=JOB_ID, run_seconds=1_000)
    first = make(deployment, "watch", MODULE="Leads", JOB_ID=JOB_ID)
    again = make(deployment, "watch", MODULE="Leads", JOB_ID=JOB_ID)
    zoho.advance(1_001)

    (execution,) = deployment.executions()
    assert execution.arn.endswith(f":Leads-{JOB_ID}")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["executionArn"] == execution.arn
    assert json.loads(again.stdout)["executionArn"] == execution.arn
    assert execution.status == "SUCCEEDED"

    refused = make(deployment, "watch", MODULE="Leads", JOB_ID=JOB_ID)
    assert refused.returncode != 0
    assert "ExecutionAlreadyExists" in refused.stderr
    assert "AGAIN=1" in refused.stderr
    assert make(deployment, "watch", MODULE="Leads", JOB_ID=JOB_ID, AGAIN="1").returncode == 0
    _, second = deployment.executions()
    assert second.arn.endswith(f":Leads-{JOB_ID}-1")
    assert second.status == "SUCCEEDED"
    assert len(deployment.published()) == 2


def test_a_job_that_is_watched_already_is_joined_by_the_list(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(CheckIntervalMaxSeconds=1)
    zoho = deployment.stack.zoho.control
    zoho.start_job(job_id=JOB_ID, run_seconds=1_000)
    started = len(deployment.stack.calls("states", "StartExecution"))
    assert make(deployment, "watch", MODULE="Leads", JOB_ID=JOB_ID).returncode == 0
    many = deployment.watch_many({"jobs": [{"module": "Leads", "job_id": JOB_ID}]})
    # By make, of the list, by the list for its job, and by that for the watch.
    wait_until(lambda: len(deployment.stack.calls("states", "StartExecution")) == started + 4, "the start of the watch")
    zoho.advance(1_001)
    assert many.status == "SUCCEEDED"
    assert len(deployment.executions()) == 1
    assert deployment.outcomes() == ["SUCCEEDED", "SUMMARY"]


def test_a_list_of_jobs_in_s3(deploy: Callable[..., Deployment], stack: Stack) -> None:
    stack.client("s3").create_bucket(Bucket=(bucket := stack.unique("lists")))
    deployment = deploy(JobsBucket=bucket)
    job_id = stack.zoho.control.start_job(run_seconds=0)
    stack.client("s3").put_object(Bucket=bucket, Key="my jobs/a.csv", Body=f"module,job_id\nLeads,{job_id}\n")
    done = make(deployment, "watch-many", JOBS=f"s3://{bucket}/my jobs/a.csv", NOTIFY_EACH="false")
    assert done.returncode == 0, done.stderr
    assert deployment.execution(json.loads(done.stdout)["executionArn"]).output["succeeded"] == 1
    assert deployment.outcomes() == ["SUMMARY"]


def test_a_list_of_jobs(deployment: Deployment, tmp_path: Path) -> None:
    zoho = deployment.stack.zoho.control
    jobs = [{"module": "Leads", "job_id": zoho.start_job(run_seconds=0)} for _ in range(2)]
    (file := tmp_path / "my jobs.json").write_text(json.dumps(jobs))
    done = make(deployment, "watch-many", JOBS=str(file))
    assert done.returncode == 0, done.stderr
    assert deployment.execution(json.loads(done.stdout)["executionArn"]).output["succeeded"] == 2


@pytest.mark.parametrize(
    ("target", "variables"),
    [
        ("watch", {}),
        ("watch", {"MODULE": "Leads"}),
        ("watch", {"MODULE": "Leads", "JOB_ID": "12; true"}),
        ("watch-schedule", {"MODULE": 'Leads"', "JOB_ID": "12"}),
        ("watch-schedule", {"MODULE": "Price Books", "JOB_ID": "12"}),
        ("watch", {"MODULE": "Leads", "JOB_ID": "12", "AGAIN": "1; true"}),
        ("watch-many", {"JOBS": "no-such-file"}),
        ("watch-many", {"JOBS": "Makefile", "NOTIFY_EACH": "no"}),
    ],
)
def test_missing_or_malformed_variables_are_rejected(
    deployment: Deployment, target: str, variables: dict[str, str]
) -> None:
    done = make(deployment, target, **variables)
    assert done.returncode != 0
    assert re.search(r"^Set |must be", done.stderr, re.MULTILINE)
    assert deployment.executions() == []
    assert schedules(deployment) == []


# ---- the schedule ---------------------------------------------------------------------------------------------


def test_the_schedule_that_the_command_makes(deployment: Deployment) -> None:
    schedule = make_schedule(deployment)
    now = datetime.now(UTC)

    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["ActionAfterCompletion"] == "DELETE"
    limit = timedelta(days=2)  # the watch's, and a day in which any sensible rate still announces its end
    assert abs(schedule["EndDate"] - now - limit) < timedelta(minutes=5)
    target = schedule["Target"]
    assert target["Arn"] == deployment.function.arn
    assert target["RoleArn"].endswith("SchedulerRole")
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 300}
    assert target["DeadLetterConfig"]["Arn"].endswith("DeadLetterQueue")
    request = scheduled_input(schedule)
    began = datetime.fromisoformat(request.pop("first_checked_at").replace("Z", "+00:00"))
    assert abs(began - now) < timedelta(minutes=5)
    assert request == {"module": "Leads", "job_id": JOB_ID, "schedule_arn": schedule["Arn"], "adapt": True}


def test_a_second_schedule_for_a_job_is_refused(deployment: Deployment) -> None:
    make_schedule(deployment)
    again = make(deployment, "watch-schedule", MODULE="Leads", JOB_ID=JOB_ID)
    assert again.returncode != 0
    assert "ConflictException" in again.stderr


def test_a_scheduled_check_of_an_unfinished_job_changes_nothing(deployment: Deployment) -> None:
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=1_000)
    schedule = make_schedule(deployment)
    request = scheduled_input(schedule)
    (answer,) = deployment.fire(schedule).wait()
    assert answer.payload["finished"] is False
    assert answer.payload["first_checked_at"] == request["first_checked_at"]
    assert deployment.published() == []
    assert len(schedules(deployment)) == 1


def test_the_end_is_announced_and_the_schedule_gone(deployment: Deployment) -> None:
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=0)
    (answer,) = deployment.fire(make_schedule(deployment)).wait()
    assert answer.payload["schedule_deleted"] is True
    (message,) = deployment.published()
    assert message.values["event_id"] == f"Leads-{JOB_ID}-SUCCEEDED"
    assert schedules(deployment) == []


def test_a_crash_between_publishing_and_deleting_repeats_the_message_and_loses_nothing(deployment: Deployment) -> None:
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=0, failed=3)
    schedule = make_schedule(deployment)
    with deployment.stack.fail_aws("scheduler", "DeleteSchedule", times=1, hold=True) as deletion:
        invocation = deployment.fire(schedule)
        deletion.wait_until_held()
        deployment.function.environments[-1].kill()
        deletion.release()
        crashed, repeated = invocation.wait()
    assert crashed.error_type == "Runtime.ExitError"
    assert repeated.payload["schedule_deleted"] is True
    first, second = deployment.published()
    assert first.attributes == second.attributes
    assert schedules(deployment) == []


def test_what_keeps_failing_is_kept_for_the_operator(deployment: Deployment) -> None:
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=0)
    schedule = make_schedule(deployment)
    request = scheduled_input(schedule)
    with deployment.stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"):
        attempts = deployment.fire(schedule).wait()
    assert [attempt.error_type for attempt in attempts] == ["NotificationFailed"] * 3
    (record,) = deployment.dead_letters()
    assert record["requestPayload"] == request
    assert len(schedules(deployment)) == 1
