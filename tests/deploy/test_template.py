"""The template: its parameters, what it creates, and what is told of executions that cannot announce their end."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from moto.events.models import EventPattern

from local.deployment import template
from local.deployment.template import ROOT

TOPIC = "arn:aws:sns:us-east-1:123456789012:zoho-StatusTopic"
ALARMS = {
    "FunctionErrorsAlarm",
    "FunctionThrottlesAlarm",
    "DeadLetterQueueAlarm",
    "CredentialErrorsAlarm",
    "ExecutionTimeoutAlarm",
    "ExecutionAbortedAlarm",
    "ListFailedAlarm",
}


def test_what_is_optional_is_absent_by_default() -> None:
    plain, full = template.resolve(), template.resolve(StatusEmail="sales@example.com", AlarmTopicArn=TOPIC)
    assert "StatusEmailSubscription" not in plain.resources
    assert full.properties("StatusEmailSubscription")["Endpoint"] == "sales@example.com"
    alarms = {name for name, resource in full.resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms == ALARMS
    for alarm in alarms:
        assert "AlarmActions" not in plain.properties(alarm)
        assert full.properties(alarm)["AlarmActions"] == [TOPIC]


def test_the_guide_counts_the_alarm_metrics_that_the_account_pays_for() -> None:
    alarms = [template.resolve().properties(alarm) for alarm in ALARMS]
    metrics = sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)
    assert f"{metrics} alarm metrics" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


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


def test_a_variable_is_set_only_if_its_parameter_is() -> None:
    optional = {
        "ZohoApiDomain": ("ZOHO_API_DOMAIN", "https://sandbox.zohoapis.com"),
        "ZohoAccountsDomain": ("ZOHO_ACCOUNTS_DOMAIN", "https://accounts.zoho.eu"),
    }
    for parameter, (variable, value) in optional.items():
        assert variable not in template.resolve().properties("CheckFunction")["Environment"]["Variables"]
        changed = template.resolve(**{parameter: value}).properties("CheckFunction")
        assert changed["Environment"]["Variables"][variable] == value


def test_cold_starts_know_a_data_center_unless_the_parameter_is_empty() -> None:
    variables = template.resolve().properties("CheckFunction")["Environment"]["Variables"]
    assert variables["ZOHO_DATA_CENTER"] == "US"
    changed = template.resolve(ZohoDataCenter="").properties("CheckFunction")
    assert "ZOHO_DATA_CENTER" not in changed["Environment"]["Variables"]


def test_tracing_can_be_switched_off_everywhere() -> None:
    on, off = template.resolve(), template.resolve(XRayTracing="false")
    assert (on.properties("CheckFunction")["TracingConfig"], off.properties("CheckFunction")["TracingConfig"]) == (
        {"Mode": "Active"},
        {"Mode": "PassThrough"},
    )
    for machine in ("WatchStateMachine", "WatchListedJobStateMachine", "WatchManyStateMachine"):
        assert on.properties(machine)["TracingConfiguration"] == {"Enabled": True}
        assert off.properties(machine)["TracingConfiguration"] == {"Enabled": False}


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


def test_every_parameter_has_bounds() -> None:
    for name, parameter in template.source()["Parameters"].items():
        bounded = {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys()
        assert bounded, f"{name} takes anything"
        assert parameter["Description"]
        assert ("AllowedPattern" in parameter) == (name in PATTERNS)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_accepts_what_is_right_and_nothing_else(name: str) -> None:
    parameter = template.source()["Parameters"][name]
    right, wrong = PATTERNS[name]
    for value in [*right, parameter["Default"]]:
        assert re.fullmatch(parameter["AllowedPattern"], value), value
    for value in wrong:
        assert not re.fullmatch(parameter["AllowedPattern"], value), value


def test_every_parameter_is_in_a_group() -> None:
    source = template.source()
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(source["Parameters"])


def test_the_names_stay_within_the_limits_for_a_stack_name_of_56_characters() -> None:
    resolved = template.resolve("s" * 56)
    assert len(resolved.properties("ScheduleGroup")["Name"]) <= 64
    for machine in ("WatchStateMachine", "WatchListedJobStateMachine", "WatchManyStateMachine"):
        assert len(resolved.properties(machine)["StateMachineName"]) <= 80


def test_the_application_metadata_follows_the_package() -> None:
    metadata = template.source()["Metadata"]["AWS::ServerlessRepo::Application"]
    package = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    assert metadata["SemanticVersion"] == package["version"]
    assert metadata["Name"] == package["name"]
    assert metadata["SpdxLicenseId"] in package["license"]
    for url in (metadata["LicenseUrl"], metadata["ReadmeUrl"]):
        assert (ROOT / url).is_file()
    # The repository takes no intrinsic function here.
    assert template.source()["Resources"]["CheckFunction"]["Properties"]["Architectures"] == ["x86_64"]


# ---- executions that cannot announce their end --------------------------------------------------------------------


def event(machine: str, status: str, **detail: Any) -> dict[str, Any]:
    """An event as the real service sends it: the LocalStack project recorded one (test_event_bridge_events_base)."""
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "stateMachineArn": template.resolve().references[machine],
            "status": status,
            "error": None,
            **detail,
        },
    }


@pytest.mark.parametrize("machine", ["WatchStateMachine", "WatchManyStateMachine"])
@pytest.mark.parametrize(
    ("status", "detail", "reported"),
    [
        ("TIMED_OUT", {}, True),
        ("ABORTED", {}, True),
        ("FAILED", {"error": "States.Runtime"}, True),
        ("FAILED", {"error": "JobNotFound"}, False),
        ("SUCCEEDED", {}, False),
        ("RUNNING", {}, False),
    ],
)
def test_the_rule_reports_exactly_what_cannot_announce_itself(
    machine: str, status: str, detail: dict[str, str], reported: bool
) -> None:
    resolved = template.resolve()
    pattern = resolved.properties("UnreportedExecutionRule")["EventPattern"]
    # moto knows no $or: its alternatives, one after the other.
    alternatives = pattern["detail"]["$or"]
    common = {key: value for key, value in pattern["detail"].items() if key != "$or"}
    matches = [
        EventPattern.load(json.dumps({**pattern, "detail": {**common, **alternative}})).matches_event(
            event(machine, status, **detail)
        )
        for alternative in alternatives
    ]
    assert any(matches) == reported
    (target,) = resolved.properties("UnreportedExecutionRule")["Targets"]
    assert target["Arn"] == resolved.arns["DeadLetterQueue"]


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [("ExecutionTimeoutAlarm", "ExecutionsTimedOut"), ("ExecutionAbortedAlarm", "ExecutionsAborted")],
)
def test_an_alarm_counts_the_executions_of_both_state_machines(alarm: str, metric: str) -> None:
    resolved = template.resolve()
    expression, *counts = resolved.properties(alarm)["Metrics"]
    assert expression["Expression"] == "FILL(watch, 0) + FILL(list, 0)"
    assert {count["Id"] for count in counts} == {"watch", "list"}
    assert {count["MetricStat"]["Metric"]["MetricName"] for count in counts} == {metric}
    machines = {count["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for count in counts}
    assert machines == {resolved.references["WatchStateMachine"], resolved.references["WatchManyStateMachine"]}
