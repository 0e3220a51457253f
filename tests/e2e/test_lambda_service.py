"""The local Lambda service behaves as Lambda does. All other end-to-end tests rely on it."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

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
    fn = deploy(env={"OWN": "1"}, timeout=7, memory_size=256)
    payload = fn.invoke({}).payload
    environment, context = payload["environment"], payload["context"]
    assert environment["OWN"] == "1"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == fn.name
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_ENDPOINT_URL"] == stack.endpoint_url
    assert "HOME" not in environment
    assert context["Lambda-Runtime-Invoked-Function-Arn"] == fn.arn
    assert len(context["Lambda-Runtime-Aws-Request-Id"]) == 36
    assert context["Lambda-Runtime-Trace-Id"].startswith("Root=1-")


def test_an_environment_is_reused(deploy):
    fn = deploy()
    assert [fn.invoke({}).payload["count"] for _ in range(3)] == [1, 2, 3]
    assert (fn.cold_starts, fn.invocations) == (1, 3)


def test_it_scales_out_to_the_concurrency_and_throttles_beyond(deploy):
    fn = deploy(concurrency=2)
    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(fn.invoke, {"sleep": 1.5}) for _ in range(2)]
        wait_until(lambda: fn.invocations == 2, "the start of both invocations")
        throttled = fn.invoke({})
        assert throttled.error_type == "TooManyRequestsException"
        assert len({invocation.result().payload["pid"] for invocation in busy}) == 2


def test_simultaneous_invocations_each_have_an_environment(deploy):
    fn = deploy(concurrency=5)
    assert len({invocation.payload["pid"] for invocation in fn.invoke_together([{}] * 5)}) == 5


def test_an_error_is_a_function_error(deploy):
    fn = deploy()
    invocation = fn.invoke({"error": "JobNotFound"})
    assert (invocation.ok, invocation.error_type, invocation.error_message) == (False, "JobNotFound", "as scripted")
    assert fn.invoke({}).payload["count"] == 2


def test_a_timeout_kills_the_environment(deploy):
    fn = deploy()
    first = fn.invoke({}).payload["pid"]
    assert fn.invoke({"sleep": 60}, timeout=0.2).error_type == "Sandbox.Timedout"
    assert fn.invoke({}).payload["pid"] != first


def test_an_exit_is_an_error_and_the_next_invocation_starts_cold(deploy):
    fn = deploy()
    invocation = fn.invoke({"exit": 3})
    assert invocation.error_type == "Runtime.ExitError"
    assert "exit status 3" in invocation.error_message
    assert fn.invoke({}).payload["count"] == 1


@pytest.mark.parametrize(("init", "error_type"), [("error", "NotReady"), ("exit", "Runtime.ExitError")])
def test_a_failed_initialization_is_the_result(deploy, init, error_type):
    assert deploy(env={"INIT": init}).invoke({}).error_type == error_type


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


def test_an_environment_can_be_frozen_and_thawed(deploy):
    fn = deploy()
    fn.invoke({})
    environment = fn.environments[0]
    environment.signal(signal.SIGSTOP)
    assert fn.invoke({}, timeout=0.2).error_type == "Sandbox.Timedout"

    fn.invoke({})
    environment = fn.environments[1]
    environment.signal(signal.SIGSTOP)
    environment.signal(signal.SIGCONT)
    assert fn.invoke({}).payload["count"] == 2


def test_output_is_read_to_the_end(deploy):
    fn = deploy()
    fn.invoke({"note": "x" * 100_000})
    fn.stop()
    assert fn.environments[0].lines[0] == ("stdout", "ready")
    assert fn.logs[0]["payload"]["note"] == "x" * 100_000


def test_boto3_can_invoke_a_function(stack, deploy):
    fn = deploy()
    client = stack.client("lambda")
    invocation = client.invoke(FunctionName=fn.arn, Payload=b'{"error": "Broken"}', LogType="Tail")
    assert (invocation["StatusCode"], invocation["FunctionError"]) == (200, "Unhandled")
    assert json.loads(invocation["Payload"].read())["errorType"] == "Broken"
    assert b"Broken" in base64.b64decode(invocation["LogResult"])
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")


def test_requests_to_aws_can_be_made_to_fail(stack):
    secrets = stack.client("secretsmanager")
    secret_id = stack.secret("x")
    with (
        stack.fail_aws("secretsmanager", "GetSecretValue", status=400, code="AccessDeniedException", message="no"),
        pytest.raises(ClientError, match=r"AccessDeniedException.*no"),
    ):
        secrets.get_secret_value(SecretId=secret_id)
    assert secrets.get_secret_value(SecretId=secret_id)["SecretString"] == "x"
    assert [call.status for call in stack.calls("secretsmanager", "GetSecretValue")][-2:] == [400, 200]
