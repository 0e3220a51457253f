"""The commands that the stack's outputs hold, run as they stand by the AWS CLI through `make`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.deployment import Deployment
from local.stack import Stack
from local.wait import wait_until
from tests.deploy.reports import JOB_ID
from tests.deploy.scenarios import REQUEST
from tests.deploy.shell import make, make_schedule

JOB = {"MODULE": "Leads", "JOB_ID": JOB_ID}


# ---- the state machines ---------------------------------------------------------------------------------------


def test_a_watch_is_named_after_the_job_and_started_once(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(CheckIntervalMaxSeconds=1)
    zoho = deployment.stack.zoho.control
    zoho.start_job(job_id=JOB_ID, run_seconds=1_000)
    started = [json.loads(make(deployment, "watch", **JOB).stdout)["executionArn"] for _ in range(2)]
    zoho.advance(1_001)

    (execution,) = deployment.executions()
    assert started == [execution.arn] * 2
    assert execution.arn.endswith(f":Leads-{JOB_ID}")
    assert execution.status == "SUCCEEDED"

    refused = make(deployment, "watch", **JOB)
    assert refused.returncode != 0
    assert "ExecutionAlreadyExists" in refused.stderr
    assert "AGAIN=1" in refused.stderr
    assert make(deployment, "watch", AGAIN="1", **JOB).returncode == 0
    _, second = deployment.executions()
    assert second.arn.endswith(f":Leads-{JOB_ID}-1")
    assert second.status == "SUCCEEDED"
    assert len(deployment.published()) == 2


def test_a_job_that_is_watched_already_is_joined_by_the_list(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(CheckIntervalMaxSeconds=1)
    zoho = deployment.stack.zoho.control
    zoho.start_job(job_id=JOB_ID, run_seconds=1_000)
    started = len(deployment.stack.calls("states", "StartExecution"))
    assert make(deployment, "watch", **JOB).returncode == 0
    many = deployment.watch_many({"jobs": [REQUEST]})
    # By make, of the list, by the list for its job, and by that for the watch.
    wait_until(lambda: len(deployment.stack.calls("states", "StartExecution")) == started + 4, "the start of the watch")
    zoho.advance(1_001)
    assert many.status == "SUCCEEDED"
    assert len(deployment.executions()) == 1
    assert deployment.outcomes() == ["SUCCEEDED", "SUMMARY"]


def test_lists_of_jobs_in_s3_and_in_a_file(deploy: Callable[..., Deployment], stack: Stack, tmp_path: Path) -> None:
    stack.client("s3").create_bucket(Bucket=(bucket := stack.unique("lists")))
    jobs = [{"module": "Leads", "job_id": stack.zoho.control.start_job(run_seconds=0)} for _ in range(2)]
    text = "module,job_id\n" + "".join(f"Leads,{job['job_id']}\n" for job in jobs)
    stack.client("s3").put_object(Bucket=bucket, Key="my jobs/a.csv", Body=text)
    (file := tmp_path / "my jobs.json").write_text(json.dumps(jobs))
    for list_of_jobs, notify_each, outcomes in (
        (f"s3://{bucket}/my jobs/a.csv", "false", ["SUMMARY"]),
        (str(file), "true", ["SUCCEEDED", "SUCCEEDED", "SUMMARY"]),
    ):
        deployment = deploy(JobsBucket=bucket)
        done = make(deployment, "watch-many", JOBS=list_of_jobs, NOTIFY_EACH=notify_each)
        assert done.returncode == 0, done.stderr
        assert deployment.execution(json.loads(done.stdout)["executionArn"]).output["succeeded"] == 2
        assert deployment.outcomes() == outcomes


def test_missing_or_malformed_variables_are_rejected(deployment: Deployment) -> None:
    for target, variables in [
        ("watch", {}),
        ("watch", {"MODULE": "Leads"}),
        ("watch", {"MODULE": "Leads", "JOB_ID": "12; true"}),
        ("watch-schedule", {"MODULE": 'Leads"', "JOB_ID": "12"}),
        ("watch-schedule", {"MODULE": "Price Books", "JOB_ID": "12"}),
        ("watch", {"MODULE": "Leads", "JOB_ID": "12", "AGAIN": "1; true"}),
        ("watch-many", {"JOBS": "no-such-file"}),
        ("watch-many", {"JOBS": "Makefile", "NOTIFY_EACH": "no"}),
    ]:
        done = make(deployment, target, **variables)
        assert done.returncode != 0
        assert re.search(r"^Set |must be", done.stderr, re.MULTILINE)
    assert deployment.executions() == []
    assert schedules(deployment) == []


# ---- the schedule ---------------------------------------------------------------------------------------------


def schedules(deployment: Deployment) -> list[dict[str, Any]]:
    scheduler, group = deployment.stack.client("scheduler"), deployment.template.properties("ScheduleGroup")["Name"]
    names = [one["Name"] for one in scheduler.list_schedules(GroupName=group)["Schedules"]]
    return [scheduler.get_schedule(GroupName=group, Name=name) for name in names]


def test_a_schedule_follows_its_job_to_the_end(deployment: Deployment) -> None:
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=1_000)
    now = datetime.now(UTC)
    assert make(deployment, "watch-schedule", **JOB).returncode == 0
    again = make(deployment, "watch-schedule", **JOB)
    assert again.returncode != 0
    assert "ConflictException" in again.stderr

    (made,) = schedules(deployment)
    assert made["Name"] == f"Leads-{JOB_ID}"
    assert (made["ScheduleExpression"], made["FlexibleTimeWindow"]) == ("rate(5 minutes)", {"Mode": "OFF"})
    assert made["ActionAfterCompletion"] == "DELETE"
    limit = timedelta(days=2)  # the watch's, and a day in which any sensible rate still announces its end
    assert abs(made["EndDate"] - now - limit) < timedelta(minutes=5)
    target = made["Target"]
    request = json.loads(target.pop("Input"))
    assert target == {
        "Arn": deployment.function.arn,
        "RoleArn": deployment.template.arns["SchedulerRole"],
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 300},
        "DeadLetterConfig": {"Arn": deployment.template.arns["DeadLetterQueue"]},
    }
    began = request.pop("first_checked_at")
    assert abs(datetime.fromisoformat(began.replace("Z", "+00:00")) - now) < timedelta(minutes=5)
    assert request == {**REQUEST, "schedule_arn": "<aws.scheduler.schedule-arn>", "adapt": True}

    (check,) = deployment.fire(schedules(deployment)[0]).wait()
    assert (check.payload["finished"], check.payload["first_checked_at"]) == (False, began)
    assert deployment.published() == []
    (updated,) = schedules(deployment)
    assert json.loads(updated["Target"]["Input"])["checks"] == 1
    deployment.stack.zoho.control.advance(1_001)
    (end,) = deployment.fire(updated).wait()
    assert end.payload["schedule_deleted"] is True
    assert [message.values["event_id"] for message in deployment.published()] == [f"Leads-{JOB_ID}-SUCCEEDED"]
    assert schedules(deployment) == []


def test_a_crash_between_publishing_and_deleting_repeats_the_message_and_loses_nothing(deployment: Deployment) -> None:
    deployment.stack.zoho.control.start_job(job_id=JOB_ID, run_seconds=0, failed=3)
    read = make_schedule(deployment)
    with deployment.stack.fail_aws("scheduler", "DeleteSchedule", times=1, hold=True) as deletion:
        invocation = deployment.fire(read())
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
    read = make_schedule(deployment)
    with deployment.stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"):
        attempts = deployment.fire(read()).wait()
    assert [attempt.error_type for attempt in attempts] == ["NotificationFailed"] * 3
    (record,) = deployment.dead_letters()
    assert record["requestPayload"] == {**REQUEST, "schedule_arn": read()["Arn"]}
