"""The samples of docs/integrate.md, run against the local stack."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from local.deployment.deployment import Execution
from local.stack import Function, Stack, Topic
from local.zoho_simulator import REFRESH_TOKEN_SECRET

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "docs/samples"
ROLE = "arn:aws:iam::123456789012:role/sample"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(step_functions=True) as stack:
        yield stack


@pytest.fixture(scope="module")
def topic(stack: Stack) -> Topic:
    return stack.topic()


@pytest.fixture(scope="module")
def function(stack: Stack, topic: Topic) -> Function:
    env = {"ZOHO_SECRET_ID": stack.secret(REFRESH_TOKEN_SECRET), "STATUS_TOPIC_ARN": topic.arn}
    env |= dict.fromkeys(("ZOHO_API_DOMAIN", "ZOHO_ACCOUNTS_DOMAIN"), stack.zoho.url)
    return stack.function("check", env={**env, "CHECK_INTERVAL_MIN_SECONDS": "1"})


def machine(stack: Stack, definition: str) -> str:
    how = {"name": stack.unique("sample"), "definition": definition, "roleArn": ROLE}
    return stack.client("stepfunctions").create_state_machine(**how)["stateMachineArn"]


def run(stack: Stack, sample: str, payload: dict[str, Any], **arns: str) -> Execution:
    """An execution of a sample, with these ARNs in the place of its variables."""
    definition = (SAMPLES / f"{sample}.asl.json").read_text(encoding="utf-8")
    for name, arn in arns.items():
        definition = definition.replace(f"${{{name}}}", arn)
    execution = stack.client("stepfunctions").start_execution(
        stateMachineArn=machine(stack, definition), name=stack.unique("run"), input=json.dumps(payload)
    )
    return Execution(stack, execution["executionArn"])


def test_a_loop_of_ones_own(stack, function):
    stack.zoho.control.set_speed(30)
    job_id = stack.zoho.control.start_job(run_seconds=240, total=100)
    execution = run(stack, "check-loop", {"module": "Leads", "job_id": job_id}, CheckFunctionArn=function.arn)
    assert execution.status == "SUCCEEDED", execution.cause
    stack.zoho.control.set_speed(1)
    assert execution.output["outcome"] == "SUCCEEDED"
    assert execution.output["checks"] > 1


@pytest.mark.parametrize(("outcome", "status"), [("SUCCEEDED", "SUCCEEDED"), ("FAILED", "FAILED")])
def test_a_nested_watch(stack, outcome, status):
    report = {"module": "Leads", "job_id": "1", "outcome": outcome, "next_check_seconds": None}
    watch = {"StartAt": "End", "States": {"End": {"Type": "Pass", "Result": report, "End": True}}}
    arn = machine(stack, json.dumps(watch))
    execution = run(stack, "nested", {"module": "Leads", "job_id": "1"}, WatchStateMachineArn=arn)
    assert execution.status == status, execution.cause
    (execution,) = stack.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    assert execution["name"] == "Leads-1"


def policies() -> list[dict[str, Any]]:
    text = (ROOT / "docs/integrate.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize(
    ("policy", "received"), list(zip(policies(), [{"Leads", "Deals"}, {"Leads", "Contacts"}], strict=True))
)
def test_filter_policies(stack, function, topic, policy, received):
    """Failed jobs of Leads and Deals, and one of Contacts that succeeded."""
    subscriber, how = stack.queue(), {"FilterPolicy": json.dumps(policy)}
    stack.client("sns").subscribe(TopicArn=topic.arn, Protocol="sqs", Endpoint=subscriber.arn, Attributes=how)
    for module, shape in (("Leads", "fails-half-way"), ("Deals", "fails-half-way"), ("Contacts", "linear")):
        job_id = stack.zoho.control.start_job(module=module, run_seconds=0, shape=shape)
        function.invoke({"module": module, "job_id": job_id, "notify": True})
    assert {json.loads(body["Message"])["module"] for body in subscriber.drain()} == received


@pytest.fixture
def consumer(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The sample, with a table of its own."""
    name = stack.unique("seen")
    stack.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "event_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "event_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for variable, value in {**stack.client_variables, "TABLE": name}.items():
        monkeypatch.setenv(variable, value)
    spec = importlib.util.spec_from_file_location("consumer", SAMPLES / "consumer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_consumer_reacts_once(stack, function, topic, consumer, capsys):
    topic.subscriber.drain()
    job_id = stack.zoho.control.start_job(run_seconds=0, total=10)
    for _ in range(2):
        function.invoke({"module": "Leads", "job_id": job_id, "notify": True})
    bodies = topic.subscriber.drain()
    assert len(bodies) == 2
    consumer.handler({"Records": [{"body": json.dumps(body)} for body in bodies]})
    attributes = {name: {"Type": a["Type"], "Value": a["Value"]} for name, a in bodies[0]["MessageAttributes"].items()}
    consumer.handler({"Records": [{"Sns": {"Message": bodies[0]["Message"], "MessageAttributes": attributes}}]})
    assert capsys.readouterr().out == f"Leads job {job_id} ended: SUCCEEDED\n"
