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


def test_every_alarm_also_reports_when_it_is_over_and_names_its_runbook() -> None:
    plain = template.resolve()
    full = template.resolve(AlarmTopicArn=TOPIC, AlarmEmail="oncall@example.com")
    assert full.properties("AlarmTopic")["Subscription"] == [{"Protocol": "email", "Endpoint": "oncall@example.com"}]
    alarms = {name for name, resource in full.resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms == set(ALARMS)
    for alarm, section in ALARMS.items():
        for actions in ("AlarmActions", "OKActions"):
            assert plain.properties(alarm)[actions] == []
            assert full.properties(alarm)[actions] == [full.references["AlarmTopic"], TOPIC]
        assert full.properties(alarm)["AlarmDescription"].endswith(f"(docs/runbook.md#{section}).")
        assert full.properties(alarm)["TreatMissingData"] == "notBreaching"
        for one in full.properties(alarm).get("Metrics", []):
            assert ("Expression" in one) != ("MetricStat" in one)
            if "Expression" in one:
                known = {other["Id"] for other in full.properties(alarm)["Metrics"]}
                assert set(re.findall(r"[a-z]\w*", one["Expression"])) <= known
    returned = [one for one in full.properties("ChecksFailAlarm")["Metrics"] if one.get("ReturnData", True)]
    assert [one["Id"] for one in returned] == ["total"]


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


def test_the_level_of_the_log_is_the_functions_own() -> None:
    """Lambda would drop the lines of the metrics, too."""
    function = template.resolve("a-stack", LogLevel="WARN").properties("CheckFunction")
    assert function["LoggingConfig"]["ApplicationLogLevel"] == "TRACE"
    variables = function["Environment"]["Variables"]
    assert (variables["LOG_LEVEL"], variables["STACK_NAME"]) == ("WARN", "a-stack")


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


def test_an_alarm_counts_the_executions_of_both_state_machines() -> None:
    resolved = template.resolve()
    _, *counts = resolved.properties("ExecutionsAlarm")["Metrics"]
    metrics = [count["MetricStat"]["Metric"] for count in counts]
    watch, many = resolved.references["WatchStateMachine"], resolved.references["WatchManyStateMachine"]
    assert {(metric["MetricName"], metric["Dimensions"][0]["Value"]) for metric in metrics} == {
        ("ExecutionsTimedOut", watch),
        ("ExecutionsTimedOut", many),
        ("ExecutionsAborted", watch),
        ("ExecutionsAborted", many),
        ("ExecutionsFailed", many),
    }
