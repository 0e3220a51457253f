"""The template and the definitions as they stand: linted, expanded, scanned, and their rights and times pinned down."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.deployment import template
from local.deployment.template import ROOT, TEMPLATE, definition
from tests.deploy.names import LAMBDAS_OWN, TRY_AGAIN

TOOLS = Path(sys.executable).parent
MACHINES = ["WatchStateMachine", "WatchManyStateMachine"]
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d"
PREFIX = "arn:aws:{}:us-east-1:123456789012:{}"


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


# ---- linters --------------------------------------------------------------------------------------------------


def test_sam_finds_the_template_valid() -> None:
    run(TOOLS / "sam", "validate", "--lint", "-t", TEMPLATE, "--region", "us-east-1")


def test_cfn_lint_finds_nothing_in_the_template_and_what_it_expands_to(expanded: Path) -> None:
    run(TOOLS / "cfn-lint", TEMPLATE)
    run(TOOLS / "cfn-lint", "--regions", "us-east-1", "--", expanded)


@pytest.mark.parametrize("machine", MACHINES)
def test_statelint_finds_nothing_in_the_state_machines(machine: str, tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(definition(machine, template.resolve()))
    run(TOOLS / "statelint", file)


def test_checkov_finds_nothing_that_is_not_reasoned_beside_the_resource(expanded: Path) -> None:
    output = run(
        TOOLS / "checkov", "--framework", "cloudformation", "--skip-download", "--output", "json", "-f", expanded
    )
    results = json.loads(output)["results"]
    assert results["failed_checks"] == []
    skipped = {(check["resource"].split(".")[-1], check["check_id"]) for check in results["skipped_checks"]}
    reasoned = {
        (name, skip["id"])
        for name, resource in template.source()["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    assert skipped == reasoned, "a reason is given for what is no finding"


# ---- rights ---------------------------------------------------------------------------------------------------


def rights(role: str, **parameters: str) -> set[tuple[str, str]]:
    """Every action that a role of the expanded template may do, with the resource it may do it to."""
    properties = template.resolve(**parameters).properties(role)
    assert set(properties) == {"AssumeRolePolicyDocument", "Policies"}, "no managed policies"
    granted = set()
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement.keys() == {"Sid", "Effect", "Action", "Resource"}
            assert statement["Effect"] == "Allow"
            actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
            granted |= set(itertools.product(actions, resources))
    return granted


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


TOPIC = PREFIX.format("sns", "zoho-StatusTopic")
QUEUE = PREFIX.format("sqs", "zoho-UndeliveredQueue")
FUNCTION = PREFIX.format("lambda", "function:zoho-CheckFunction")
SECRET = PREFIX.format("secretsmanager", "secret:zoho-ZohoSecret-AbCdEf")
TRACE = {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
TRACE_EXECUTIONS = TRACE | {("xray:GetSamplingRules", "*"), ("xray:GetSamplingTargets", "*")}
USE_KEY = {("kms:Decrypt", KEY), ("kms:GenerateDataKey", KEY)}

CHECK_FUNCTION_RIGHTS = TRACE | {
    ("secretsmanager:GetSecretValue", SECRET),
    ("secretsmanager:PutSecretValue", SECRET),
    ("sns:Publish", TOPIC),
    ("scheduler:DeleteSchedule", PREFIX.format("scheduler", "schedule/zoho-watches/*")),
    ("sqs:SendMessage", QUEUE),
    ("logs:CreateLogStream", PREFIX.format("logs", "log-group:zoho-CheckFunctionLogs:*")),
    ("logs:PutLogEvents", PREFIX.format("logs", "log-group:zoho-CheckFunctionLogs:*")),
}
WATCH_RIGHTS = TRACE_EXECUTIONS | {("lambda:InvokeFunction", FUNCTION), ("sns:Publish", TOPIC)}
RULE = PREFIX.format("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
WATCH_MANY_RIGHTS = TRACE_EXECUTIONS | {
    ("sns:Publish", TOPIC),
    ("states:StartExecution", PREFIX.format("states", "stateMachine:zoho-watch")),
    ("states:StartExecution", PREFIX.format("states", "stateMachine:zoho-watch-many")),
    ("states:DescribeExecution", PREFIX.format("states", "execution:zoho-watch:*")),
    ("states:StopExecution", PREFIX.format("states", "execution:zoho-watch:*")),
    ("states:DescribeExecution", PREFIX.format("states", "execution:zoho-watch-many:*")),
    ("states:StopExecution", PREFIX.format("states", "execution:zoho-watch-many:*")),
    ("states:DescribeExecution", PREFIX.format("states", "execution:zoho-watch-many/*")),
    ("states:StopExecution", PREFIX.format("states", "execution:zoho-watch-many/*")),
    ("events:PutTargets", RULE),
    ("events:PutRule", RULE),
    ("events:DescribeRule", RULE),
}


def test_the_function_may_do_what_it_does_and_nothing_else() -> None:
    assert rights("CheckFunctionRole") == CHECK_FUNCTION_RIGHTS
    assert rights("CheckFunctionRole", KmsKeyArn=KEY) == CHECK_FUNCTION_RIGHTS | USE_KEY


def test_an_existing_secret_is_the_only_one_that_may_be_read() -> None:
    existing = PREFIX.format("secretsmanager", "secret:zoho/crm-Xy12Zw")
    secrets = {right for right in rights("CheckFunctionRole", ZohoSecretArn=existing) if "secretsmanager" in right[0]}
    assert secrets == {("secretsmanager:GetSecretValue", existing), ("secretsmanager:PutSecretValue", existing)}


def test_the_state_machines_may_do_what_they_do_and_nothing_else() -> None:
    assert rights("WatchStateMachineRole") == WATCH_RIGHTS
    assert rights("WatchStateMachineRole", KmsKeyArn=KEY) == WATCH_RIGHTS | USE_KEY
    assert rights("WatchManyStateMachineRole") == WATCH_MANY_RIGHTS
    assert rights("WatchManyStateMachineRole", KmsKeyArn=KEY) == WATCH_MANY_RIGHTS | USE_KEY
    bucket = {("s3:GetObject", "arn:aws:s3:::lists/*")}
    assert rights("WatchManyStateMachineRole", JobsBucket="lists") == WATCH_MANY_RIGHTS | bucket


def test_the_scheduler_may_check_and_hand_over_what_it_cannot_deliver() -> None:
    assert rights("SchedulerRole") == {("lambda:InvokeFunction", FUNCTION), ("sqs:SendMessage", QUEUE)}


@pytest.mark.parametrize(
    ("role", "service"),
    [
        ("CheckFunctionRole", "lambda"),
        ("WatchStateMachineRole", "states"),
        ("WatchManyStateMachineRole", "states"),
        ("SchedulerRole", "scheduler"),
    ],
)
def test_a_role_is_assumed_by_its_service_alone(role: str, service: str) -> None:
    (statement,) = template.resolve().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    if service != "lambda":
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_there_are_no_roles_but_these() -> None:
    resources = template.resolve().resources
    roles = {name for name, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"}
    assert roles == {"CheckFunctionRole", "WatchStateMachineRole", "WatchManyStateMachineRole", "SchedulerRole"}
    kinds = {resource["Type"] for resource in resources.values()}
    assert not kinds & {"AWS::IAM::Policy", "AWS::Lambda::Permission", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"}


# ---- parameters -----------------------------------------------------------------------------------------------


def test_what_is_optional_is_absent_by_default() -> None:
    plain, full = template.resolve(), template.resolve(StatusEmail="sales@example.com", AlarmTopicArn=TOPIC)
    assert "StatusEmailSubscription" not in plain.resources
    assert full.properties("StatusEmailSubscription")["Endpoint"] == "sales@example.com"
    alarms = [name for name, resource in full.resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == 5
    for alarm in alarms:
        assert "AlarmActions" not in plain.properties(alarm)
        assert full.properties(alarm)["AlarmActions"] == [TOPIC]


def test_an_account_without_quota_reserves_nothing() -> None:
    assert template.resolve().properties("CheckFunction")["ReservedConcurrentExecutions"] == "5"
    without = template.resolve(ReservedConcurrency=-1).properties("CheckFunction")
    assert "ReservedConcurrentExecutions" not in without


def test_the_secret_is_made_unless_one_is_given_and_outlives_the_stack() -> None:
    made = template.resolve()
    assert made.resources["ZohoSecret"]["DeletionPolicy"] == "Retain"
    assert made.outputs["SecretArn"] == SECRET
    given = template.resolve(ZohoSecretArn=PREFIX.format("secretsmanager", "secret:zoho-Xy12Zw"))
    assert "ZohoSecret" not in given.resources
    variables = given.properties("CheckFunction")["Environment"]["Variables"]
    assert variables["ZOHO_SECRET_ID"] == given.outputs["SecretArn"]
    assert variables.keys().isdisjoint({"ZOHO_API_DOMAIN", "ZOHO_ACCOUNTS_DOMAIN"})


# ---- times ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watch() -> dict[str, Any]:
    return json.loads(definition("WatchStateMachine", template.resolve()))


def test_exactly_what_may_pass_by_itself_is_retried(watch: dict[str, Any]) -> None:
    retried = [name for retrier in watch["States"]["Check"]["Retry"] for name in retrier["ErrorEquals"]]
    assert len(retried) == len(set(retried))
    assert set(retried) == TRY_AGAIN | LAMBDAS_OWN
    (catcher,) = watch["States"]["Check"]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]


def longest(retrier: dict[str, Any]) -> float:
    """The most that a retrier's waits add up to."""
    waits = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"]))
    return sum(min(wait, retrier["MaxDelaySeconds"]) for wait in waits)


def retriers(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in retriers(item)]
    if not isinstance(node, dict):
        return []
    return node.get("Retry", []) + [found for item in node.values() for found in retriers(item)]


def test_retries_back_off_with_jitter(watch: dict[str, Any]) -> None:
    many = json.loads(definition("WatchManyStateMachine", template.resolve()))
    for retrier in retriers(watch) + retriers(many):
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["BackoffRate"] > 1
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]
    seconds = {
        name: longest(retrier) for retrier in watch["States"]["Check"]["Retry"] for name in retrier["ErrorEquals"]
    }
    assert 45 * 60 < seconds["ZohoUnavailable"] < 60 * 60
    assert seconds["TokenRateLimited"] > 2 * 600, "Zoho's window of 10 minutes has passed for sure"


def test_time_outs_fit_into_one_another(watch: dict[str, Any]) -> None:
    stack, parameters = template.resolve(), template.source()["Parameters"]
    tasks = [state for state in watch["States"].values() if state["Type"] == "Task"]
    assert all("TimeoutSeconds" in task for task in tasks)
    # The function answers, or Lambda says that it did not, before the task is given up.
    assert stack.properties("CheckFunction")["Timeout"] + 10 < watch["States"]["Check"]["TimeoutSeconds"]
    # The watch ends itself, which is announced, before the execution is timed out, which is not.
    latest = parameters["WatchLimitSeconds"]["MaxValue"] + parameters["CheckIntervalMaxSeconds"]["MaxValue"]
    outage = sum(longest(retrier) for retrier in watch["States"]["Check"]["Retry"])
    assert latest + outage < watch["TimeoutSeconds"]
    many = json.loads(definition("WatchManyStateMachine", stack))
    items = many["States"]["Watch the jobs"]["ItemProcessor"]["States"].values()
    for item in (item for item in items if item["Type"] == "Task"):
        assert watch["TimeoutSeconds"] < item["TimeoutSeconds"] < many["TimeoutSeconds"]


def test_only_an_unfinished_job_leads_back_to_a_check(watch: dict[str, Any]) -> None:
    """Every loop of the machine runs through Wait, and only one rule, with all its conditions, leads there."""
    edges = {name: successors(state) for name, state in watch["States"].items()}
    assert [name for name, targets in edges.items() if "Wait" in targets] == ["Is the watch over"]
    rule = next(rule for rule in watch["States"]["Is the watch over"]["Choices"] if rule["Next"] == "Wait")
    assert {"Variable": "$.outcome", "IsNull": True} in rule["And"]
    assert {"Variable": "$.next_check_seconds", "NumericGreaterThan": 0} in rule["And"]
    assert not has_cycle({name: targets - {"Wait"} for name, targets in edges.items()})


def successors(state: dict[str, Any]) -> set[str]:
    targets = {state.get("Next"), state.get("Default")}
    targets |= {branch["Next"] for branch in state.get("Choices", []) + state.get("Catch", [])}
    return targets - {None}


def has_cycle(edges: dict[str, set[str]]) -> bool:
    remaining = dict(edges)
    while ends := [name for name, targets in remaining.items() if not targets & remaining.keys()]:
        for name in ends:
            del remaining[name]
    return bool(remaining)


def test_an_execution_cannot_outgrow_its_history(watch: dict[str, Any]) -> None:
    """25,000 events are the limit; a lap takes 9, a failed attempt 3, the ends less than 100."""
    rules = watch["States"]["Is the watch over"]["Choices"]
    (limit,) = [rule for rule in rules if rule["Next"] == "Too many checks"]
    checks = next(test["NumericGreaterThanEquals"] for test in limit["And"] if "NumericGreaterThanEquals" in test)
    assert checks * 9 + 100 + 3 * 1_000 < 25_000
