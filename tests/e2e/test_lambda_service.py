"""The local stack behaves as AWS does. All other end-to-end tests rely on it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.stack import Function, Stack
from local.wait import wait_until
from tests.scripted import SCRIPTED_FUNCTION


@pytest.fixture
def deploy(stack: Stack) -> Iterator[Callable[..., Function]]:
    made: list[Function] = []

    def deploy(**settings) -> Function:
        made.append(stack.function(stack.unique("scripted"), binary=SCRIPTED_FUNCTION, **settings))
        return made[-1]

    yield deploy
    for function in made:
        function.stop()


def test_the_function_gets_lambdas_context_and_variables(stack, deploy):
    fn = deploy(env={"OWN": "1"}, memory_size=256)
    payload = fn.invoke({}).payload
    environment, context = payload["environment"], payload["context"]
    assert (environment["OWN"], environment["AWS_LAMBDA_FUNCTION_NAME"]) == ("1", fn.name)
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_ENDPOINT_URL"] == stack.endpoint_url
    assert "HOME" not in environment
    assert context["Lambda-Runtime-Invoked-Function-Arn"] == fn.arn
    assert len(context["Lambda-Runtime-Aws-Request-Id"]) == 36
    assert context["Lambda-Runtime-Trace-Id"].startswith("Root=1-")


def test_environments_are_reused_scaled_out_and_throttled(deploy):
    fn = deploy(concurrency=2)
    assert [fn.invoke({}).payload["count"] for _ in range(3)] == [1, 2, 3]
    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(fn.invoke, {"sleep": 1.5}) for _ in range(2)]
        wait_until(lambda: fn.invocations == 5, "the start of both invocations")
        assert fn.invoke({}).error_type == "TooManyRequestsException"
        assert len({invocation.result().payload["pid"] for invocation in busy}) == 2
    assert len({invocation.payload["pid"] for invocation in fn.invoke_together([{}] * 2)}) == 2


def test_errors_timeouts_and_exits(deploy):
    fn = deploy()
    failed = fn.invoke({"error": "JobNotFound"})
    assert (failed.ok, failed.error_type, failed.error_message) == (False, "JobNotFound", "as scripted")
    assert fn.invoke({}).payload["count"] == 2
    assert fn.invoke({"sleep": 60}, timeout=0.2).error_type == "Sandbox.Timedout"
    assert fn.invoke({}).payload["count"] == 1, "the environment was killed"
    exited = fn.invoke({"exit": 3})
    assert (exited.error_type, "exit status 3" in exited.error_message) == ("Runtime.ExitError", True)
    assert deploy(env={"INIT": "error"}).invoke({}).error_type == "NotReady"
    assert deploy(env={"INIT": "exit"}).invoke({}).error_type == "Runtime.ExitError"


def test_an_event_gets_three_attempts_and_then_goes_to_the_destination(stack, deploy):
    queue = stack.queue()
    fn = deploy(destination_arn=queue.arn)
    sent = fn.invoke_event({"error": "Broken"})
    assert [attempt.error_type for attempt in sent.wait()] == ["Broken"] * 3
    (record,) = queue.drain()
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"error": "Broken"}
    assert record["responsePayload"]["errorType"] == "Broken"
    assert [attempt.ok for attempt in fn.invoke_event({}).wait()] == [True]
    assert queue.drain() == []


def test_an_environment_can_be_frozen_and_thawed_and_its_output_is_read_to_the_end(deploy):
    fn = deploy()
    fn.invoke({"note": "x" * 100_000})
    fn.environments[0].signal(signal.SIGSTOP)
    assert fn.invoke({}, timeout=0.2).error_type == "Sandbox.Timedout"
    fn.invoke({})
    fn.environments[1].signal(signal.SIGSTOP)
    fn.environments[1].signal(signal.SIGCONT)
    assert fn.invoke({}).payload["count"] == 2
    fn.stop()
    assert fn.environments[0].lines[0] == ("stdout", "ready")
    assert fn.logs[0]["payload"]["note"] == "x" * 100_000


def test_boto3_can_invoke_a_function_and_requests_can_be_made_to_fail(stack, deploy):
    fn, client = deploy(), stack.client("lambda")
    invocation = client.invoke(FunctionName=fn.arn, Payload=b'{"error": "Broken"}')
    assert (invocation["StatusCode"], invocation["FunctionError"]) == (200, "Unhandled")
    assert json.loads(invocation["Payload"].read())["errorType"] == "Broken"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")
    secrets, secret_id = stack.client("secretsmanager"), stack.secret("x")
    with (
        stack.fail_aws("secretsmanager", "GetSecretValue", status=400, code="AccessDeniedException", message="no"),
        pytest.raises(ClientError, match=r"AccessDeniedException.*no"),
    ):
        secrets.get_secret_value(SecretId=secret_id)
    assert secrets.get_secret_value(SecretId=secret_id)["SecretString"] == "x"
    assert [call.status for call in stack.calls("secretsmanager", "GetSecretValue")][-2:] == [400, 200]


def test_schedules_fire_at_their_start_at_their_rate_and_after_an_update():
    """At 250 times real time: from the start date every minute, then as updated, and not beyond the end."""
    with (
        Stack(schedules=True, speed=250) as stack,
        stack.function("scripted", binary=SCRIPTED_FUNCTION) as fn,
    ):
        scheduler, start = stack.client("scheduler"), datetime.fromtimestamp(int(stack.clock.now()) + 90, UTC)

        def schedule(step: str, rate: str, start: datetime, **more: Any) -> dict[str, Any]:
            given = {"step": step, "arn": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>"}
            target = {"Arn": fn.arn, "RoleArn": "arn:aws:iam::1:role/r", "Input": json.dumps(given)}
            window = {"Mode": "OFF"}
            named = {"Name": "watch", "ScheduleExpression": rate, "FlexibleTimeWindow": window, "StartDate": start}
            return {**named, "Target": target, **more}

        arn = scheduler.create_schedule(**schedule("first", "rate(1 minute)", start))["ScheduleArn"]
        wait_until(lambda: len(stack.firings) == 3, "three firings")
        later = start + timedelta(minutes=10)
        end = later + timedelta(minutes=7)
        update = schedule("second", "rate(5 minutes)", later, EndDate=end, ActionAfterCompletion="DELETE")
        scheduler.update_schedule(**update)
        assert scheduler.get_schedule(Name="watch")["ActionAfterCompletion"] == "DELETE"
        wait_until(lambda: not scheduler.list_schedules()["Schedules"], "the end of the schedule")
        fired = [json.loads(firing.payload) for firing in stack.firings]
        first = [firing for firing in fired if firing["step"] == "first"]
        minutes = [start + timedelta(minutes=number) for number in range(len(first))]
        expected = [("first", at) for at in minutes] + [("second", later), ("second", later + timedelta(minutes=5))]
        assert [(one["step"], one["at"]) for one in fired] == [(s, f"{at:%Y-%m-%dT%H:%M:%SZ}") for s, at in expected]
        assert {firing["arn"] for firing in fired} == {arn}
        scheduler.create_schedule(**schedule("past", "rate(5 minutes)", start - timedelta(days=1)))
        wait_until(lambda: len(stack.firings) == len(fired) + 1, "a firing whose date has passed")
        scheduler.delete_schedule(Name="watch")
        time.sleep(0.1)
        wait_until(lambda: fn.invocations == len(stack.firings) == len(fired) + 1, "no more firings")
