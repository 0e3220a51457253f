"""The Lambda service: `Invoke`, execution environments on demand, throttling, and asynchronous retries."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from local.aws_endpoint.gateway import error_response, log_tail
from local.aws_endpoint.moto_process import ACCOUNT_ID, CREDENTIALS, REGION
from local.lambda_service.environment import Environment, InvocationResult, PendingInvocation

INIT_SECONDS = 10.0
_ASYNC_ATTEMPTS = 3
_THROTTLE_PAUSE = 0.02


@dataclass
class FunctionSettings:
    """The configuration of a function. `retry_seconds` replaces Lambda's minutes between asynchronous attempts."""

    name: str
    binary: Path
    variables: dict[str, str]
    timeout: float = 30.0
    concurrency: int = 10
    memory_size: int = 128
    destination_arn: str | None = None
    retry_seconds: float = 0.05

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.name}"


@dataclass
class Asynchronous:
    """One `Event` invocation: its attempts so far, and whether it is finished."""

    request_id: str
    attempts: list[InvocationResult] = field(default_factory=list)
    finished: bool = False


@dataclass
class Deployed:
    """A function with all its execution environments in the order of their start, including those that have exited."""

    settings: FunctionSettings
    environments: list[Environment] = field(default_factory=list)
    asynchronous: dict[str, Asynchronous] = field(default_factory=dict)
    tasks: set[asyncio.Task] = field(default_factory=set)
    together: list[asyncio.Future[None]] = field(default_factory=list)


class LambdaService:
    """Runs in the stack's event loop. `send_to_destination(arn, body, role)` sends failure records."""

    def __init__(self, send_to_destination: Callable[[str, str, str], Awaitable[None]]) -> None:
        self._send_to_destination = send_to_destination
        self._functions: dict[str, Deployed] = {}
        self._endpoint_url = ""

    def set_endpoint(self, endpoint_url: str) -> None:
        """Set the AWS endpoint of the functions."""
        self._endpoint_url = endpoint_url

    def deploy(self, settings: FunctionSettings) -> Deployed:
        if settings.name in self._functions:
            raise ValueError(f"the function {settings.name} exists already")
        self._functions[settings.name] = deployed = Deployed(settings)
        return deployed

    async def remove(self, name: str) -> None:
        deployed = self._functions.pop(name, None)
        if deployed is None:
            return
        for task in deployed.tasks:
            task.cancel()
        await asyncio.gather(*(environment.stop() for environment in deployed.environments))

    async def stop(self) -> None:
        await asyncio.gather(*(self.remove(name) for name in list(self._functions)))

    async def handle(self, request: web.BaseRequest, name: str, payload: bytes) -> web.Response:
        """Respond to one `Invoke` request."""
        deployed = self._functions.get(name)
        if deployed is None:
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
            return error_response("lambda", 404, "ResourceNotFoundException", f"Function not found: {arn}")
        payload = payload or b"{}"
        try:
            json.loads(payload)
        except RecursionError:
            pass  # nested more deeply than Python can check
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            return error_response("lambda", 400, "InvalidRequestContentException", message)

        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        request_id = str(uuid.uuid4())
        headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": "$LATEST"}
        if kind == "DryRun":
            return web.Response(status=204, headers=headers)
        if kind == "Event":
            deployed.asynchronous[request_id] = Asynchronous(request_id)
            _keep(deployed, asyncio.create_task(self._run_asynchronously(deployed, request_id, payload)))
            return web.Response(status=202, headers=headers)

        environment = self._reserve(deployed)
        if environment is None:
            return error_response("lambda", 429, "TooManyRequestsException", "Rate Exceeded.")
        timeout = float(request.headers.get("X-Local-Timeout", deployed.settings.timeout))
        size = int(request.headers.get("X-Local-Together", "0"))
        before = len(environment.lines)
        result = await self._run(deployed, environment, request_id, payload, timeout, size)
        headers["X-Local-Left"] = f"{result.left:.3f}"
        if result.error:
            headers["X-Amz-Function-Error"] = result.error
        if request.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = log_tail([text for _, text in environment.lines[before:]])
        return web.Response(status=200, headers=headers, body=result.payload, content_type="application/json")

    def _reserve(self, deployed: Deployed) -> Environment | None:
        """An idle environment, a new one, or None if the function's concurrency is exhausted."""
        living = [e for e in deployed.environments if e.alive or e.pid == 0]
        environment = next((e for e in living if not e.busy), None)
        if environment is None:
            if len(living) >= deployed.settings.concurrency:
                return None
            environment = self._new_environment(deployed.settings)
            deployed.environments.append(environment)
        environment.busy = True
        return environment

    def _new_environment(self, settings: FunctionSettings) -> Environment:
        variables = {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": "bootstrap",
            "LAMBDA_TASK_ROOT": str(settings.binary.parent),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_LAMBDA_FUNCTION_NAME": settings.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{settings.name}",
            **settings.variables,
        }
        return Environment(settings.binary, variables)

    async def _run(
        self,
        deployed: Deployed,
        environment: Environment,
        request_id: str,
        payload: bytes,
        timeout: float,
        together: int = 0,
    ) -> InvocationResult:
        """Run one invocation in a reserved environment, which is started first if it is new."""
        try:
            await _meet(deployed, together)
            if environment.pid == 0:
                await environment.start()
            failure = await environment.initialized(INIT_SECONDS)
            if failure:
                environment.kill()
                return failure
            pending = PendingInvocation(payload, request_id, deployed.settings.arn, time.time() + timeout)
            return await environment.invoke(pending)
        finally:
            environment.busy = False

    async def _run_asynchronously(self, deployed: Deployed, request_id: str, payload: bytes) -> None:
        state = deployed.asynchronous[request_id]
        settings = deployed.settings
        while len(state.attempts) < _ASYNC_ATTEMPTS:
            environment = self._reserve(deployed)
            if environment is None:  # throttled: Lambda keeps the event and retries later
                await asyncio.sleep(_THROTTLE_PAUSE)
                continue
            result = await self._run(deployed, environment, request_id, payload, settings.timeout)
            state.attempts.append(result)
            if result.error is None:
                break
            if len(state.attempts) < _ASYNC_ATTEMPTS:
                await asyncio.sleep(settings.retry_seconds)
        else:
            if settings.destination_arn:
                record = failure_record(settings.arn, request_id, payload, state.attempts)
                role = settings.variables.get("AWS_ACCESS_KEY_ID", CREDENTIALS["AWS_ACCESS_KEY_ID"])
                await self._send_to_destination(settings.destination_arn, json.dumps(record), role)
        state.finished = True


async def _meet(deployed: Deployed, size: int) -> None:
    """Wait until `size` invocations have arrived here, each with its own environment."""
    if size < 2:
        return
    waiting = deployed.together
    waiting.append(asyncio.get_running_loop().create_future())
    if len(waiting) < size:
        await waiting[-1]
        return
    for future in waiting:
        future.set_result(None)
    waiting.clear()


def _keep(deployed: Deployed, task: asyncio.Task) -> None:
    deployed.tasks.add(task)
    task.add_done_callback(deployed.tasks.discard)


def failure_record(arn: str, request_id: str, payload: bytes, attempts: list[InvocationResult]) -> dict:
    """The record that Lambda sends to an on-failure destination."""
    return {
        "version": "1.0",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": len(attempts),
        },
        "requestPayload": json.loads(payload),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": attempts[-1].error},
        "responsePayload": json.loads(attempts[-1].payload or b"null"),
    }
