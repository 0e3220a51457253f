"""A function: its execution environments on demand, throttling, asynchronous retries, and what its callers see."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from local.aws_endpoint.gateway import error_response
from local.aws_endpoint.moto_process import ACCOUNT_ID, CREDENTIALS, REGION
from local.clock import Clock
from local.lambda_service.environment import Environment, Invocation, Pending
from local.loop import run_in
from local.wait import wait_until

INIT_SECONDS = 10.0
THROTTLED = Invocation.failure("TooManyRequestsException", "Rate Exceeded.")
_ASYNC_ATTEMPTS = 3
_THROTTLE_PAUSE = 0.02
_RETRY_PAUSE = 0.05  # in place of Lambda's minutes


@dataclass
class EventInvocation:
    """An asynchronous invocation, for which Lambda makes up to three attempts."""

    request_id: str
    attempts: list[Invocation] = field(default_factory=list)
    finished: bool = False

    def wait(self) -> list[Invocation]:
        """Wait for the last attempt and return them all."""
        wait_until(lambda: self.finished, "the end of an asynchronous invocation")
        return self.attempts


@dataclass
class Function:
    """A deployed function. `Stack.function` returns it, and other threads than the event loop's use what is public.

    `environments` are all of them so far, in the order of their start, and those that have exited.
    """

    name: str
    binary: Path
    variables: dict[str, str]
    clock: Clock
    loop: asyncio.AbstractEventLoop
    send_to_destination: Callable[[str, str, str], Awaitable[None]]
    timeout: float = 30.0
    concurrency: int = 10
    destination_arn: str | None = None
    environments: list[Environment] = field(default_factory=list)
    events: dict[str, EventInvocation] = field(default_factory=dict)
    _tasks: set[asyncio.Task] = field(default_factory=set)

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.name}"

    # ---- for other threads -------------------------------------------------------------------------

    def invoke(
        self, payload: Any, timeout: float | None = None, headers: dict[str, str | None] | None = None
    ) -> Invocation:
        """Invoke the function and wait. `timeout` replaces the function's own timeout for this invocation.

        `headers` replace those of the Runtime API; None leaves one out.
        """
        return run_in(self.loop, self.run(_encoded(payload), timeout=timeout, headers=headers))

    def invoke_together(self, payloads: list[Any]) -> list[Invocation]:
        """Invoke the function with all payloads at the same moment, each in its own execution environment."""
        assert len(payloads) <= self.concurrency

        async def run() -> list[Invocation]:
            start = asyncio.Barrier(len(payloads))
            return await asyncio.gather(*(self.run(_encoded(payload), start=start) for payload in payloads))

        return run_in(self.loop, run())

    def invoke_event(self, payload: Any) -> EventInvocation:
        """Invoke the function asynchronously: two retries, then the on-failure destination."""

        async def start() -> EventInvocation:
            return self.start_event(_encoded(payload))

        return run_in(self.loop, start())

    cold_starts = property(lambda self: sum(environment.pid != 0 for environment in self.environments))
    invocations = property(lambda self: sum(environment.invocations for environment in self.environments))
    output = property(lambda self: "\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """All lines that all processes wrote to standard output and standard error."""
        return [line for environment in list(self.environments) for line in environment.lines]

    @property
    def logs(self) -> list[dict]:
        """The lines that are JSON documents, without those that CloudWatch turns into metrics."""
        return [document for document in self._documents() if "_aws" not in document]

    @property
    def metrics(self) -> list[dict]:
        """The lines that CloudWatch turns into metrics."""
        return [document for document in self._documents() if "_aws" in document]

    def wait_for_line(self, accept: Callable[[str], bool]) -> str:
        """Wait for a line of output (it can arrive after the response) and return it."""
        wait_until(lambda: any(map(accept, self.lines)), "a line of the function's output")
        return next(filter(accept, self.lines))

    def stop(self) -> None:
        """Kill every process. What they wrote stays readable."""
        run_in(self.loop, self.shut_down())

    def __enter__(self) -> Function:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _documents(self) -> list[dict]:
        return [json.loads(line) for line in self.lines if line.startswith("{") and line.endswith("}")]

    # ---- in the event loop -------------------------------------------------------------------------

    async def run(
        self,
        payload: bytes,
        request_id: str = "",
        timeout: float | None = None,
        headers: dict[str, str | None] | None = None,
        start: asyncio.Barrier | None = None,
    ) -> Invocation:
        """Run one invocation; THROTTLED if all environments are busy and the concurrency does not allow another one.

        It begins when all that wait at `start` have their environments.
        """
        environment = self._reserve()
        if environment is None:
            return THROTTLED
        try:
            if start:
                await start.wait()
            if environment.pid == 0:
                await environment.start()
            if failure := await environment.initialized(INIT_SECONDS):
                environment.kill()
                return failure
            deadline = time.time() + (timeout or self.timeout)
            request_id = request_id or str(uuid.uuid4())
            return await environment.invoke(Pending(payload, request_id, self.arn, deadline, headers or {}))
        finally:
            environment.busy = False

    def start_event(self, payload: bytes) -> EventInvocation:
        event = EventInvocation(str(uuid.uuid4()))
        self.events[event.request_id] = event
        task = asyncio.create_task(self._run_event(event, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return event

    async def shut_down(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(environment.stop() for environment in self.environments))

    def _reserve(self) -> Environment | None:
        living = [each for each in self.environments if each.alive or each.pid == 0]
        environment = next((each for each in living if not each.busy), None)
        if environment is None:
            if len(living) >= self.concurrency:
                return None
            environment = Environment(self.binary, self._all_variables(), self.clock)
            self.environments.append(environment)
        environment.busy = True
        return environment

    def _all_variables(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": "bootstrap",
            "LAMBDA_TASK_ROOT": str(self.binary.parent),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **CREDENTIALS,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            **self.variables,
        }

    async def _run_event(self, event: EventInvocation, payload: bytes) -> None:
        while len(event.attempts) < _ASYNC_ATTEMPTS:
            result = await self.run(payload, event.request_id)
            if result is THROTTLED:  # Lambda keeps the event and retries later
                await asyncio.sleep(_THROTTLE_PAUSE)
                continue
            event.attempts.append(result)
            if result.ok:
                break
            await asyncio.sleep(_RETRY_PAUSE)
        else:
            if self.destination_arn:
                role = self.variables.get("AWS_ACCESS_KEY_ID", CREDENTIALS["AWS_ACCESS_KEY_ID"])
                record = json.dumps(self._failure_record(event, payload))
                await self.send_to_destination(self.destination_arn, record, role)
        event.finished = True

    def _failure_record(self, event: EventInvocation, payload: bytes) -> dict[str, Any]:
        """The record that Lambda sends to an on-failure destination."""
        return {
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": f"{self.arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": len(event.attempts),
            },
            "requestPayload": json.loads(payload),
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": event.attempts[-1].payload,
        }


async def respond(functions: dict[str, Function], request: web.BaseRequest, name: str, payload: bytes) -> web.Response:
    """Respond to one request for Lambda's `Invoke`."""
    function = functions.get(name)
    if function is None:
        return error_response("lambda", 404, "ResourceNotFoundException", f"Function not found: {name}")
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "X-Amz-Executed-Version": "$LATEST"}
    if request.headers.get("X-Amz-Invocation-Type") == "Event":
        headers["x-amzn-RequestId"] = function.start_event(payload).request_id
        return web.Response(status=202, headers=headers)
    result = await function.run(payload, headers["x-amzn-RequestId"])
    if result is THROTTLED:
        return error_response("lambda", 429, "TooManyRequestsException", "Rate Exceeded.")
    failed = {} if result.ok else {"X-Amz-Function-Error": "Unhandled"}
    return web.Response(status=200, headers=headers | failed, body=result.body, content_type="application/json")


def _encoded(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
