"""The roles of the template: exactly what they permit, and for each statement what happens without it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.deployment import Deployment, Execution, template
from local.deployment.permissions import as_list, statements
from local.stack import Stack
from tests.deploy.reports import JOB_ID, final_report
from tests.deploy.scenarios import REQUEST
from tests.deploy.shell import make_schedule
from tests.deploy.test_watch_machine import once

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


# What each role may do by default, then what it may do with all keys and a bucket.
LOGS = PREFIX.format("logs", "log-group:zoho-CheckFunctionLogs:*")
SCHEDULES = PREFIX.format("scheduler", "schedule/zoho-watches/*")
BY_DEFAULT = {
    "CheckFunctionRole": PUBLISH
    | TRACE
    | {(f"secretsmanager:{action}", SECRET) for action in ("GetSecretValue", "PutSecretValue")}
    | {(f"scheduler:{action}", SCHEDULES) for action in ("GetSchedule", "UpdateSchedule", "DeleteSchedule")}
    | {("iam:PassRole", "arn:aws:iam::123456789012:role/zoho-SchedulerRole")}
    | {("logs:CreateLogStream", LOGS), ("logs:PutLogEvents", LOGS)},
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


CONDITIONS = {
    "s3": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
    "iam": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
}


def permissions(role: str, **parameters: str) -> set[tuple[str, str]]:
    """Every action that a role of the expanded template permits, with the resource it permits it for."""
    granted = set()
    for statement in statements(template.resolve(**parameters), role):
        actions = as_list(statement["Action"])
        assert statement["Effect"] == "Allow"
        assert statement.get("Condition") == CONDITIONS.get(actions[0].partition(":")[0])
        granted |= set(itertools.product(actions, as_list(statement["Resource"])))
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
    ("role", "service", "condition"),
    [
        ("CheckFunctionRole", "lambda", None),
        ("WatchStateMachineRole", "states", {"ArnEquals": "states:stateMachine:zoho-watch"}),
        ("WatchListedJobStateMachineRole", "states", {"ArnEquals": "states:stateMachine:zoho-watch-listed-job"}),
        ("WatchManyStateMachineRole", "states", {"ArnLike": "states:stateMachine:zoho-watch-many"}),
        ("SchedulerRole", "scheduler", {"ArnEquals": "scheduler:schedule-group/zoho-watches"}),
    ],
)
def test_a_role_is_assumed_for_one_resource_of_its_service(
    role: str, service: str, condition: dict[str, str] | None
) -> None:
    """The items of a distributed map run as executions of the state machine with another ARN."""
    (statement,) = template.resolve().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    for operator, resource in (condition or {}).items():
        source: Any = PREFIX.format(*resource.split(":", 1))
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            operator: {"aws:SourceArn": [source, f"{source}/*"] if operator == "ArnLike" else source},
        }


def test_there_are_no_other_roles_and_policies() -> None:
    resources = template.resolve(JobsBucket="lists").resources
    roles = {name for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}
    assert roles == set(BY_DEFAULT)
    policies = {name for name, resource in resources.items() if "Policy" in resource["Type"]}
    managed = {"AnnouncePolicy", "TracesPolicy", "JobsBucketPolicy"}
    assert policies == {"DeadLetterQueuePolicy", "PassSchedulerRolePolicy", *managed}
    assert "AWS::Lambda::Permission" not in {resource["Type"] for resource in resources.values()}


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


def watch(deploy: Callable[..., Deployment], stack: Stack, **how: Any) -> tuple[Deployment, Execution]:
    deployment = deploy({"report": final_report()}, **how)
    return deployment, deployment.watch(REQUEST).wait()


def watch_list(deploy: Callable[..., Deployment], stack: Stack, **how: Any) -> tuple[Deployment, Execution]:
    deployment = deploy({"report": final_report()}, **how)
    file = {"bucket": how["JobsBucket"], "key": "jobs.json"}
    stack.client("s3").put_object(Bucket=file["bucket"], Key=file["key"], Body=json.dumps([REQUEST]))
    return deployment, deployment.watch_many({"jobs_file": file, "notify_each": False}).wait()


def schedule(deploy: Callable[..., Deployment], stack: Stack, **how: Any) -> tuple[Deployment, list[Any]]:
    deployment = deploy(**how)
    stack.zoho.control.start_job(module="Leads", job_id=JOB_ID, run_seconds=0)
    invocation = deployment.fire(make_schedule(deployment)())
    return deployment, invocation.wait() if invocation else []


# What needs all statements of a role.
SCENES = {
    "CheckFunctionRole": schedule,
    "SchedulerRole": schedule,
    "WatchStateMachineRole": watch,
    "WatchListedJobStateMachineRole": watch_list,
    "WatchManyStateMachineRole": watch_list,
}
# What AWS does itself on behalf of a role, so that no call is seen here: the exact sets above hold these statements.
UNSEEN = {
    ("CheckFunctionRole", "WriteLogs"),
    *((role, "SendTraces") for role in BY_DEFAULT if role != "SchedulerRole"),
    ("WatchManyStateMachineRole", "ManageMapExecutions"),
    ("WatchManyStateMachineRole", "FindJobFiles"),
    # Only executions that began with the previous release use it.
    ("WatchStateMachineRole", "ContinueInNewExecution"),
}
# Only a check of an unfinished job needs it: below.
PASSES_ROLE = ("CheckFunctionRole", "PassSchedulerRole")
REFUSED = {(f"{machine}StateMachineRole", "ManageSyncExecutionRule") for machine in ("WatchListedJob", "WatchMany")}
STATEMENTS = {
    (role, statement["Sid"]): as_list(statement["Action"])
    for role in BY_DEFAULT
    for statement in statements(template.resolve(JobsBucket="lists", **KEYS), role)
}
SEEN = sorted(set(STATEMENTS) - UNSEEN - REFUSED - {PASSES_ROLE})


@pytest.fixture
def how(stack: Stack) -> dict[str, Any]:
    """A deployment with all that is optional, and quick to fail."""
    stack.client("s3").create_bucket(Bucket=(bucket := stack.unique("lists")))
    return {"alter": once, "JobsBucket": bucket, **KEYS}


@pytest.mark.parametrize("without", SEEN, ids="-".join)
def test_without_a_statement_a_call_is_denied(
    request: pytest.FixtureRequest, stack: Stack, how: dict[str, Any], without: tuple[str, str]
) -> None:
    scene = SCENES[without[0]]
    deploy = request.getfixturevalue("deploy" if scene is schedule else "deploy_stub")
    if without[1] == "SendToDeadLetterQueue":
        stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError")
    if without == ("SchedulerRole", "SendToDeadLetterQueue"):
        stack.fail_aws("lambda", "Invoke", status=429, code="TooManyRequestsException")
    deployment, result = scene(deploy, stack, without=without, **how)
    stack.clear_faults()
    assert deployment.roles.denials
    for denial in deployment.roles.denials:
        assert f"assumed-role/{deployment.template.references[without[0]]}/" in denial
        assert any(f"perform: {action} " in denial for action in STATEMENTS[without])
    if isinstance(result, Execution):
        assert result.status == "FAILED"
    else:
        assert all(attempt.error_type or attempt.payload["error"] for attempt in result)
    if without[1] == "SendToDeadLetterQueue":
        assert deployment.dead_letters() == []


@pytest.mark.parametrize("without", sorted(REFUSED), ids="-".join)
def test_without_a_statement_a_state_machine_is_refused(
    deploy: Callable[..., Deployment], how: dict[str, Any], without: tuple[str, str]
) -> None:
    with pytest.raises(PermissionError, match="events:PutTargets"):
        deploy(without=without, **how).machine("WatchManyStateMachine")


@pytest.mark.parametrize("action", ["scheduler:UpdateSchedule", "iam:PassRole"])
def test_a_schedule_that_may_not_be_updated_goes_on_at_its_rate(
    deploy: Callable[..., Deployment], stack: Stack, action: str
) -> None:
    deployment = deploy(without=("CheckFunctionRole", action))
    stack.zoho.control.start_job(module="Leads", job_id=JOB_ID, run_seconds=1_000)
    made = (read := make_schedule(deployment, adapt=True))()
    (check,) = deployment.fire(made).wait()
    assert (check.error_type, check.payload["finished"]) == (None, False)
    (denial,) = deployment.roles.denials
    assert f"perform: {action} " in denial
    reasons = [line["reason"] for line in deployment.function.logs if "not updated" in line.get("message", "")]
    assert len(reasons) == 1
    assert action in reasons[0]
    assert (read()["ScheduleExpression"], read()["Target"]) == ("rate(5 minutes)", made["Target"])
    stack.zoho.control.advance(1_001)
    (end,) = deployment.fire(read()).wait()
    assert end.payload["schedule_deleted"] is True
    assert deployment.outcomes() == ["SUCCEEDED"]
