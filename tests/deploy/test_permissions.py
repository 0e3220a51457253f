"""The roles of the template: exactly what they permit, and for each statement what happens without it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment, Execution, template
from local.deployment.permissions import as_list
from local.stack import Invocation, Stack
from tests.deploy.reports import JOB_ID, final_report
from tests.deploy.scenarios import REQUEST
from tests.deploy.test_watch_machine import once
from tests.scripted import stub

KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d"
KEYS = {"SecretKmsKeyArn": KEY + "1", "TopicKmsKeyArn": KEY + "2", "JobsBucketKmsKeyArn": KEY + "3"}
PREFIX = "arn:aws:{}:us-east-1:123456789012:{}"
TOPIC = PREFIX.format("sns", "zoho-StatusTopic")
QUEUE = PREFIX.format("sqs", "zoho-DeadLetterQueue")
FUNCTION = PREFIX.format("lambda", "function:zoho-CheckFunction")
SECRET = PREFIX.format("secretsmanager", "secret:zoho-ZohoSecret-AbCdEf")
RULE = PREFIX.format("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")

PUBLISH = {("sns:Publish", TOPIC), ("sqs:SendMessage", QUEUE)}
TRACE = {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
TRACE_EXECUTIONS = TRACE | {("xray:GetSamplingRules", "*"), ("xray:GetSamplingTargets", "*")}
SYNC = {("events:PutTargets", RULE), ("events:PutRule", RULE), ("events:DescribeRule", RULE)}


def use(key: str) -> set[tuple[str, str]]:
    return {("kms:Decrypt", KEYS[key]), ("kms:GenerateDataKey", KEYS[key])}


def states(action: str, *resources: str) -> set[tuple[str, str]]:
    return {(f"states:{action}", PREFIX.format("states", resource)) for resource in resources}


# What each role may do with all options on, then what it may do by default.
LOGS = PREFIX.format("logs", "log-group:zoho-CheckFunctionLogs:*")
BY_DEFAULT = {
    "CheckFunctionRole": PUBLISH
    | TRACE
    | {
        ("secretsmanager:GetSecretValue", SECRET),
        ("secretsmanager:PutSecretValue", SECRET),
        ("scheduler:GetSchedule", PREFIX.format("scheduler", "schedule/zoho-watches/*")),
        ("scheduler:UpdateSchedule", PREFIX.format("scheduler", "schedule/zoho-watches/*")),
        ("scheduler:DeleteSchedule", PREFIX.format("scheduler", "schedule/zoho-watches/*")),
        ("logs:CreateLogStream", LOGS),
        ("logs:PutLogEvents", LOGS),
    },
    "WatchStateMachineRole": PUBLISH
    | TRACE_EXECUTIONS
    | {("lambda:InvokeFunction", FUNCTION)}
    | states("StartExecution", "stateMachine:zoho-watch"),
    "WatchListedJobStateMachineRole": TRACE_EXECUTIONS
    | SYNC
    | states("StartExecution", "stateMachine:zoho-watch")
    | states("DescribeExecution", "execution:zoho-watch:*"),
    "WatchManyStateMachineRole": PUBLISH
    | TRACE_EXECUTIONS
    | SYNC
    | states("StartExecution", "stateMachine:zoho-watch-listed-job", "stateMachine:zoho-watch-many")
    | states("DescribeExecution", "execution:zoho-watch-listed-job:*")
    | states("DescribeExecution", "execution:zoho-watch-many:*", "execution:zoho-watch-many/*")
    | states("StopExecution", "execution:zoho-watch-many:*", "execution:zoho-watch-many/*")
    | states("ListMapRuns", "execution:zoho-watch-many:*")
    | states("DescribeMapRun", "mapRun:zoho-watch-many/*"),
    "SchedulerRole": {("lambda:InvokeFunction", FUNCTION), ("sqs:SendMessage", QUEUE)},
}
WITH_KEYS_AND_BUCKET = {
    "CheckFunctionRole": use("SecretKmsKeyArn") | use("TopicKmsKeyArn"),
    "WatchStateMachineRole": use("TopicKmsKeyArn"),
    "WatchListedJobStateMachineRole": set(),
    "WatchManyStateMachineRole": use("TopicKmsKeyArn")
    | use("JobsBucketKmsKeyArn")
    | {
        ("s3:GetObject", "arn:aws:s3:::lists/*"),
        ("s3:ListBucket", "arn:aws:s3:::lists"),
        ("s3:PutObject", "arn:aws:s3:::lists/zoho-results/*"),
        ("s3:ListMultipartUploadParts", "arn:aws:s3:::lists/zoho-results/*"),
        ("s3:AbortMultipartUpload", "arn:aws:s3:::lists/zoho-results/*"),
    },
    "SchedulerRole": set(),
}


def permissions(role: str, **parameters: str) -> set[tuple[str, str]]:
    """Every action that a role of the expanded template permits, with the resource it permits it for."""
    properties = template.resolve(**parameters).properties(role)
    assert set(properties) == {"AssumeRolePolicyDocument", "Policies"}, "no managed policies"
    granted = set()
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            condition = statement.get("Condition")
            is_s3 = as_list(statement["Action"])[0].startswith("s3:")
            assert condition == ({"StringEquals": {"aws:ResourceAccount": "123456789012"}} if is_s3 else None)
            granted |= set(itertools.product(as_list(statement["Action"]), as_list(statement["Resource"])))
    return granted


@pytest.mark.parametrize("role", BY_DEFAULT)
def test_a_role_permits_what_it_needs_and_nothing_else(role: str) -> None:
    assert permissions(role) == BY_DEFAULT[role]
    everything = permissions(role, JobsBucket="lists", **KEYS)
    assert everything == BY_DEFAULT[role] | WITH_KEYS_AND_BUCKET[role]
    untraced = permissions(role, XRayTracing="false")
    assert untraced == {permission for permission in BY_DEFAULT[role] if not permission[0].startswith("xray:")}


def test_an_existing_secret_is_the_only_one_that_may_be_read() -> None:
    existing = PREFIX.format("secretsmanager", "secret:zoho/crm-Xy12Zw")
    secrets = {found for found in permissions("CheckFunctionRole", ZohoSecretArn=existing) if "secrets" in found[0]}
    assert secrets == {("secretsmanager:GetSecretValue", existing), ("secretsmanager:PutSecretValue", existing)}


@pytest.mark.parametrize(
    ("role", "service", "source"),
    [
        ("CheckFunctionRole", "lambda", None),
        ("WatchStateMachineRole", "states", PREFIX.format("states", "stateMachine:zoho-watch")),
        ("WatchListedJobStateMachineRole", "states", PREFIX.format("states", "stateMachine:zoho-watch-listed-job")),
        ("WatchManyStateMachineRole", "states", PREFIX.format("states", "stateMachine:zoho-watch-many")),
        ("SchedulerRole", "scheduler", PREFIX.format("scheduler", "schedule-group/zoho-watches")),
    ],
)
def test_a_role_is_assumed_for_one_resource_of_its_service(role: str, service: str, source: str | None) -> None:
    (statement,) = template.resolve().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    if source:
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            ("ArnLike" if service == "states" else "ArnEquals"): {
                "aws:SourceArn": [source, f"{source}/*"] if service == "states" else source
            },
        }


def test_there_are_no_other_roles_and_policies() -> None:
    resources = template.resolve().resources
    roles = {name for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}
    assert roles == set(BY_DEFAULT)
    policies = {name for name, resource in resources.items() if "Policy" in resource["Type"]}
    assert policies == {"DeadLetterQueuePolicy", "PassSchedulerRolePolicy"}
    assert "AWS::Lambda::Permission" not in {resource["Type"] for resource in resources.values()}


def test_the_function_passes_the_role_of_the_schedules_to_scheduler_only() -> None:
    resolved = template.resolve()
    policy = resolved.properties("PassSchedulerRolePolicy")
    assert policy["Roles"] == [resolved.references["CheckFunctionRole"]]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "PassSchedulerRole",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": resolved.arns["SchedulerRole"],
            "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        }
    ]


def test_only_the_rule_may_send_to_the_queue_on_behalf_of_eventbridge() -> None:
    (statement,) = template.resolve().properties("DeadLetterQueuePolicy")["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "ReceiveUnreportedExecutions",
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Principal": {"Service": "events.amazonaws.com"},
        "Resource": QUEUE,
        "Condition": {"ArnEquals": {"aws:SourceArn": PREFIX.format("events", "rule/zoho-UnreportedExecutionRule")}},
    }


# ---- what happens without a statement -----------------------------------------------------------------------------


class Scene:
    """A deployment without one statement, and what can be done with it."""

    def __init__(self, stack: Stack, directory: Path, without: tuple[str, str]) -> None:
        self._stack, self._directory, self._without = stack, directory, without
        stack.zoho.control.reset()
        self.bucket = stack.unique("lists")
        stack.client("s3").create_bucket(Bucket=self.bucket)

    def deploy(self, *script: dict[str, Any]) -> Deployment:
        """With a function that responds by this script, or the packaged one."""
        how = stub(self._directory, *script, compose=None) if script else {}
        everything = {"JobsBucket": self.bucket, **KEYS}
        return Deployment(self._stack, alter=once, without=self._without, **everything, **how)

    def watch(self, *script: dict[str, Any], sns: bool = True) -> tuple[Deployment, Any]:
        failure = None if sns else self._stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError")
        with self.deploy(*script) as deployment:
            execution = deployment.watch(REQUEST).wait()
        if failure:
            failure.end()
        return deployment, execution

    def watch_list(self, sns: bool = True) -> tuple[Deployment, Any]:
        failure = None if sns else self._stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError")
        self._stack.client("s3").put_object(
            Bucket=self.bucket, Key="jobs.json", Body=json.dumps([{"module": "Leads", "job_id": "1"}])
        )
        with self.deploy({"report": final_report()}) as deployment:
            request = {"jobs_file": {"bucket": self.bucket, "key": "jobs.json"}, "notify_each": False}
            execution = deployment.watch_many(request).wait()
        if failure:
            failure.end()
        return deployment, execution

    def check(self, **request: Any) -> tuple[Deployment, Any]:
        with self.deploy() as deployment:
            deployment.stack.zoho.control.start_job(module="Leads", job_id=JOB_ID, run_seconds=0)
            return deployment, deployment.function.invoke({**REQUEST, **request})

    def schedule(self, sns: bool = True, throttle: bool = False) -> tuple[Deployment, Any]:
        with self.deploy() as deployment:
            deployment.stack.zoho.control.start_job(module="Leads", job_id=JOB_ID, run_seconds=0)
            scheduler, group = self._stack.client("scheduler"), deployment.template.properties("ScheduleGroup")["Name"]
            scheduler.create_schedule(
                Name="a-watch",
                GroupName=group,
                ScheduleExpression="rate(5 minutes)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={
                    "Arn": deployment.function.arn,
                    "RoleArn": deployment.template.arns["SchedulerRole"],
                    "Input": json.dumps({**REQUEST, "schedule_arn": "<aws.scheduler.schedule-arn>"}),
                    "DeadLetterConfig": {"Arn": deployment.template.arns["DeadLetterQueue"]},
                },
            )
            failures = []
            if not sns:
                failures.append(self._stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"))
            if throttle:
                failures.append(self._stack.fail_aws("lambda", "Invoke", status=429, code="TooManyRequestsException"))
            invocation = deployment.fire(scheduler.get_schedule(GroupName=group, Name="a-watch"))
            attempts = invocation.wait() if invocation else []
            for failure in failures:
                failure.end()
        return deployment, attempts


WITHOUT: dict[tuple[str, str], Callable[[Scene], tuple[Deployment, Any]]] = {
    ("CheckFunctionRole", "ReadCredentialsAndShareToken"): lambda scene: scene.check(),
    ("CheckFunctionRole", "PublishNotifications"): lambda scene: scene.check(notify=True),
    ("CheckFunctionRole", "SendToDeadLetterQueue"): lambda scene: scene.schedule(sns=False),
    ("CheckFunctionRole", "ReadUpdateAndDeleteSchedules"): lambda scene: scene.schedule(),
    ("CheckFunctionRole", "UseSecretKey"): lambda scene: scene.check(),
    ("CheckFunctionRole", "UseTopicKey"): lambda scene: scene.check(notify=True),
    ("WatchStateMachineRole", "InvokeCheckFunction"): lambda scene: scene.watch({"report": final_report()}),
    ("WatchStateMachineRole", "PublishNotifications"): lambda scene: scene.watch({"report": final_report()}),
    ("WatchStateMachineRole", "SendToDeadLetterQueue"): lambda scene: scene.watch(
        {"report": final_report()}, sns=False
    ),
    ("WatchStateMachineRole", "UseTopicKey"): lambda scene: scene.watch({"report": final_report()}),
    ("WatchListedJobStateMachineRole", "StartWatches"): Scene.watch_list,
    ("WatchListedJobStateMachineRole", "FollowWatches"): Scene.watch_list,
    ("WatchManyStateMachineRole", "StartListedJobs"): Scene.watch_list,
    ("WatchManyStateMachineRole", "FollowListedJobs"): Scene.watch_list,
    ("WatchManyStateMachineRole", "FindMapRun"): Scene.watch_list,
    ("WatchManyStateMachineRole", "CountJobs"): Scene.watch_list,
    ("WatchManyStateMachineRole", "ReadJobFiles"): Scene.watch_list,
    ("WatchManyStateMachineRole", "WriteResults"): Scene.watch_list,
    ("WatchManyStateMachineRole", "UseJobsBucketKey"): Scene.watch_list,
    ("WatchManyStateMachineRole", "PublishNotifications"): Scene.watch_list,
    ("WatchManyStateMachineRole", "SendToDeadLetterQueue"): lambda scene: scene.watch_list(sns=False),
    ("WatchManyStateMachineRole", "UseTopicKey"): Scene.watch_list,
    ("SchedulerRole", "InvokeCheckFunction"): lambda scene: scene.schedule(),
    ("SchedulerRole", "SendToDeadLetterQueue"): lambda scene: scene.schedule(throttle=True),
}
# What AWS does itself on behalf of a role, so that no call is seen here: the exact sets above hold these statements.
UNSEEN = {
    ("CheckFunctionRole", "WriteLogs"),
    ("CheckFunctionRole", "SendTraces"),
    ("WatchStateMachineRole", "SendTraces"),
    ("WatchListedJobStateMachineRole", "SendTraces"),
    ("WatchManyStateMachineRole", "SendTraces"),
    ("WatchManyStateMachineRole", "ManageMapExecutions"),
    ("WatchManyStateMachineRole", "FindJobFiles"),
    # Only executions that began with the previous release use it.
    ("WatchStateMachineRole", "ContinueInNewExecution"),
}
REFUSED = {
    ("WatchListedJobStateMachineRole", "ManageSyncExecutionRule"),
    ("WatchManyStateMachineRole", "ManageSyncExecutionRule"),
}


def statements() -> dict[tuple[str, str], set[str]]:
    """Every statement of every role, with the actions that it permits."""
    resolved = template.resolve(JobsBucket="lists", **KEYS)
    return {
        (role, statement["Sid"]): set(as_list(statement["Action"]))
        for role in BY_DEFAULT
        for policy in resolved.properties(role)["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    }


def test_every_statement_is_accounted_for() -> None:
    assert set(statements()) == WITHOUT.keys() | UNSEEN | REFUSED


@pytest.mark.parametrize("without", WITHOUT, ids="-".join)
def test_without_a_statement_a_call_is_denied(stack: Stack, tmp_path: Path, without: tuple[str, str]) -> None:
    deployment, result = WITHOUT[without](Scene(stack, tmp_path, without))
    actions = statements()[without]
    assert deployment.roles.denials
    for denial in deployment.roles.denials:
        assert f"assumed-role/{deployment.template.references[without[0]]}/" in denial
        assert any(f"perform: {action} " in denial for action in actions)
    if isinstance(result, Invocation):
        assert result.error_type in ("SecretInvalid", "NotificationFailed")
    elif isinstance(result, Execution):
        assert result.status == "FAILED"
    else:
        assert all(attempt.error_type for attempt in result)
    if without[1] == "SendToDeadLetterQueue":
        assert deployment.dead_letters() == []


@pytest.mark.parametrize("without", sorted(REFUSED), ids="-".join)
def test_without_a_statement_a_state_machine_is_refused(stack: Stack, tmp_path: Path, without: tuple[str, str]) -> None:
    with pytest.raises(PermissionError, match="events:PutTargets"):
        Scene(stack, tmp_path, without).deploy({"report": None})
