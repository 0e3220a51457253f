"""The template: its parameters, what it creates, and what is told of executions that cannot announce their end."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from moto.events.models import EventPattern

from local.deployment import STATE_MACHINES, template

TOPIC = "arn:aws:sns:us-east-1:123456789012:zoho-StatusTopic"
# Each alarm, and the part of the runbook that it refers to.
ALARMS = {
    "ChecksFailAlarm": "errors",
    "CredentialErrorsAlarm": "errors",
    "FunctionThrottlesAlarm": "errors",
    "DeadLetterQueueAlarm": "the-dead-letter-queue",
    "ExecutionsAlarm": "watch-again",
    "DeliveriesFailAlarm": "emails-stopped",
}


def test_what_is_optional_is_absent_by_default() -> None:
    plain, full = template.resolve(), template.resolve(StatusEmail="sales@example.com")
    assert "StatusEmailSubscription" not in plain.resources
    assert "AlarmTopic" not in plain.resources
    subscription = full.properties("StatusEmailSubscription")
    assert subscription["Endpoint"] == "sales@example.com"
    assert subscription["FilterPolicy"] == {"list": [{"exists": False}]}
    for output in ("AnnouncementsGoTo", "AlarmsGoTo"):
        assert plain.outputs[output].startswith("nobody: set ")
    assert full.outputs["AnnouncementsGoTo"] == "sales@example.com"


def test_every_alarm_also_reports_when_it_is_over_and_names_its_runbook() -> None:
    plain = template.resolve()
    full = template.resolve(AlarmTopicArn=TOPIC, AlarmEmail="oncall@example.com")
    assert full.properties("AlarmTopic")["Subscription"] == [{"Protocol": "email", "Endpoint": "oncall@example.com"}]
    alarms = {name for name, resource in full.resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms == set(ALARMS)
    for name, section in ALARMS.items():
        alarm = full.properties(name)
        for actions in ("AlarmActions", "OKActions"):
            assert plain.properties(name)[actions] == []
            assert alarm[actions] == [full.references["AlarmTopic"], TOPIC]
        assert alarm["AlarmDescription"].endswith(f"(docs/runbook.md#{section}).")
        assert alarm["TreatMissingData"] == "notBreaching"
        assert sum("MetricStat" in one for one in alarm.get("Metrics", [])) <= 10, "more than CloudWatch takes"


def test_an_account_without_quota_reserves_nothing() -> None:
    assert template.resolve().properties("CheckFunction")["ReservedConcurrentExecutions"] == "5"
    without = template.resolve(ReservedConcurrency=-1).properties("CheckFunction")
    assert "ReservedConcurrentExecutions" not in without
    assert 0 not in template.source()["Parameters"]["ReservedConcurrency"]["AllowedValues"]


def test_the_secret_is_created_empty_unless_one_is_given_and_outlives_the_stack() -> None:
    created = template.resolve()
    assert created.resources["ZohoSecret"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert not {"SecretString", "GenerateSecretString"} & created.properties("ZohoSecret").keys()
    assert created.outputs["SecretArn"] == created.references["ZohoSecret"]
    given = template.resolve(ZohoSecretArn="arn:aws:secretsmanager:us-east-1:123456789012:secret:zoho-Xy12Zw")
    assert "ZohoSecret" not in given.resources
    variables = given.properties("CheckFunction")["Environment"]["Variables"]
    assert variables["ZOHO_SECRET_ID"] == given.outputs["SecretArn"]


def test_the_level_of_the_log_is_the_functions_own() -> None:
    """Lambda would drop the lines of the metrics, too."""
    function = template.resolve("a-stack", LogLevel="WARN").properties("CheckFunction")
    assert function["LoggingConfig"]["ApplicationLogLevel"] == "TRACE"
    variables = function["Environment"]["Variables"]
    assert (variables["LOG_LEVEL"], variables["STACK_NAME"]) == ("WARN", "a-stack")


# ---- parameters ---------------------------------------------------------------------------------------------------


PATTERNS = {
    "ZohoSecretArn": (
        ["", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:zoho/crm-Xy12Zw"],
        ["zoho-crm", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:zoho"],
    ),
    "ZohoApiDomain": (
        ["", "https://sandbox.zohoapis.com", "https://zoho.example:8443"],
        ["zohoapis.com", "https://a/b"],
    ),
    "ZohoAccountsDomain": (["", "https://accounts.zoho.eu"], ["http://accounts.zoho.eu"]),
    "ZohoApiVersion": (["v8", "v2.1", "v10"], ["8", "v", "v8.", "v8/x"]),
    "StatusEmail": (["", "sales@example.com"], ["sales", "sales@example", "a b@example.com"]),
    "AlarmEmail": (["", "oncall@example.com"], ["oncall"]),
    "AlarmTopicArn": (["", TOPIC], ["alarms", TOPIC + ".fifo"]),
    "ScheduleRate": (
        ["rate(1 minute)", "rate(5 minutes)", "rate(90 minutes)", "rate(1 hour)", "rate(23 hours)"],
        ["rate(1 day)", "rate(24 hours)", "rate(1440 minutes)", "rate(1 minutes)", "cron(0 * * * ? *)", "5 minutes"],
    ),
    "JobsBucket": (["", "lists-of-jobs"], ["s3://lists", "Lists"]),
    "JobsBucketKmsKeyArn": (["", "arn:aws:kms:us-east-1:123456789012:key/0a1b"], ["alias/key"]),
    "SecretKmsKeyArn": (["", "arn:aws:kms:us-east-1:123456789012:key/0a1b"], ["arn:aws:kms:us-east-1:1:alias/key"]),
    "TopicKmsKeyArn": (["", "arn:aws:kms:us-east-1:123456789012:key/0a1b"], ["0a1b"]),
}


def test_every_parameter_has_bounds_and_is_in_a_group() -> None:
    source = template.source()
    for name, parameter in source["Parameters"].items():
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), f"{name} takes anything"
        assert parameter["Description"]
        assert ("AllowedPattern" in parameter) == (name in PATTERNS)
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(source["Parameters"])


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_accepts_what_is_right_and_nothing_else(name: str) -> None:
    parameter = template.source()["Parameters"][name]
    right, wrong = PATTERNS[name]
    for value in [*right, *wrong, parameter["Default"]]:
        assert bool(re.fullmatch(parameter["AllowedPattern"], value)) == (value not in wrong), value


def test_the_names_stay_within_the_limits_for_a_stack_name_of_56_characters() -> None:
    resolved = template.resolve("s" * 56)
    assert len(resolved.properties("ScheduleGroup")["Name"]) <= 64
    for machine in STATE_MACHINES:
        assert len(resolved.properties(machine)["StateMachineName"]) <= 80


# ---- executions that cannot announce their end --------------------------------------------------------------------


@pytest.mark.parametrize("machine", STATE_MACHINES)
@pytest.mark.parametrize(
    ("status", "error", "reported"),
    [
        ("TIMED_OUT", None, True),
        ("ABORTED", None, True),
        ("FAILED", "States.Runtime", True),
        ("FAILED", "JobNotFound", False),
        ("SUCCEEDED", None, False),
        ("RUNNING", None, False),
    ],
)
def test_the_rule_reports_exactly_what_cannot_announce_itself(
    machine: str, status: str, error: str | None, reported: bool
) -> None:
    """An event as the real service sends it: the LocalStack project recorded one (test_event_bridge_events_base)."""
    resolved = template.resolve()
    rule = resolved.properties("UnreportedExecutionRule")
    assert [target["Arn"] for target in rule["Targets"]] == [resolved.arns["DeadLetterQueue"]]
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"stateMachineArn": resolved.references[machine], "status": status, "error": error},
    }
    # moto knows no $or: its alternatives, one after the other.
    alternatives = rule["EventPattern"]["detail"].pop("$or")
    patterns = [{**rule["EventPattern"], "detail": {**rule["EventPattern"]["detail"], **one}} for one in alternatives]
    assert any(EventPattern.load(json.dumps(one)).matches_event(event) for one in patterns) == reported


def test_an_alarm_counts_the_executions_of_both_state_machines() -> None:
    """A failed list is announced; what could not be announced is in the queue."""
    resolved = template.resolve()
    _, *counts = resolved.properties("ExecutionsAlarm")["Metrics"]
    metrics = [count["MetricStat"]["Metric"] for count in counts]
    machines = [resolved.references[machine] for machine in ("WatchStateMachine", "WatchManyStateMachine")]
    counted = [(metric["MetricName"], metric["Dimensions"][0]["Value"]) for metric in metrics]
    assert counted == [*itertools.product(("ExecutionsTimedOut", "ExecutionsAborted"), machines)]
