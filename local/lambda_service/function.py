"""A function: its execution environments on demand, throttling, asynchronous retries, and what its callers see."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from local.aws_endpoint.moto_process import ACCOUNT_ID, CREDENTIALS, REGION
from local.clock import Clock
from local.lambda_service.environment import Environment, Pending, Result
from local.wait import wait_until

INIT_SECONDS = 10.0
_ASYNC_ATTEMPTS = 3
_THROTTLE_PAUSE = 0.02
_RETRY_PAUSE = 0.05  # in place of Lambda's minutes

T = TypeVar("T")


@dataclass
class Invocation:
    """One invocation. If it failed, it has `error_type` and `error_message`; if it was throttled, no payload.

    `left` is the time in seconds from the response to the deadline of the function.
    """

    payload: Any
    error_type: str | None = None
    error_message: str | None = None
    left: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error_type is None

    @classmethod
    def of(cls, result: Result | None) -> Invocation:
        if result is None:
            return cls(None, "TooManyRequestsException", "Rate Exceeded.")
        payload = json.loads(result.payload) if result.payload else None
        if not result.failed:
            return cls(payload, left=result.left)
        known = payload if isinstance(payload, dict) else {}
        return cls(payload, known.get("errorType", ""), known.get("errorMessage", ""), result.left)


@dataclass
class EventInvocation:
    """An asynchronous invocation, for which Lambda makes up to three attempts."""

    request_id: str
    results: list[Result] = field(default_factory=list)
    finished: bool = False

    def wait(self, timeout: float = 60.0) -> list[Invocation]:
        """Wait for the last attempt and return them all."""
        wait_until(lambda: self.finished, "the end of an asynchronous invocation", timeout)
        return [Invocation.of(result) for result in self.results]


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
    _meeting: list[asyncio.Future[None]] = field(default_factory=list)

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
        run = self.run(_encoded(payload), timeout=timeout, headers=headers)
        return Invocation.of(self._in_loop(run))

    def invoke_together(self, payloads: Iterable[Any], timeout: float | None = None) -> list[Invocation]:
        """Invoke the function with all payloads at the same moment, each in its own execution environment."""
        bodies = [_encoded(payload) for payload in payloads]
        if len(bodies) > self.concurrency:
            raise ValueError("there are more payloads than the function's concurrency")

        async def run() -> list[Result | None]:
            return await asyncio.gather(*(self.run(body, timeout=timeout, together=len(bodies)) for body in bodies))

        return [Invocation.of(result) for result in self._in_loop(run())]

    def invoke_event(self, payload: Any) -> EventInvocation:
        """Invoke the function asynchronously: two retries, then the on-failure destination."""

        async def start() -> EventInvocation:
            return self.start_event(_encoded(payload))

        return self._in_loop(start())

    def event_invocation(self, request_id: str) -> EventInvocation:
        """An asynchronous invocation that something else made."""
        return self.events[request_id]

    @property
    def cold_starts(self) -> int:
        return sum(environment.pid != 0 for environment in self.environments)

    @property
    def invocations(self) -> int:
        return sum(environment.invocations for environment in self.environments)

    @property
    def lines(self) -> list[str]:
        """All lines that all processes wrote to standard output and standard error."""
        return [text for environment in list(self.environments) for _, text in environment.lines]

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def logs(self) -> list[dict]:
        """The lines that are JSON documents, without those that CloudWatch turns into metrics."""
        return [document for document in self._documents() if "_aws" not in document]

    @property
    def metrics(self) -> list[dict]:
        """The lines that CloudWatch turns into metrics."""
        return [document for document in self._documents() if "_aws" in document]

    def wait_for_line(self, accept: Callable[[str], bool], timeout: float = 10.0) -> str:
        """Wait for a line of output (it can arrive after the response) and return it."""
        wait_until(lambda: any(map(accept, self.lines)), "a line of the function's output", timeout)
        return next(filter(accept, self.lines))

    def stop(self) -> None:
        """Kill every process. What they wrote stays readable."""
        self._in_loop(self.shut_down())

    def __enter__(self) -> Function:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _documents(self) -> list[dict]:
        return [json.loads(line) for line in self.lines if line.startswith("{") and line.endswith("}")]

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    # ---- in the event loop -------------------------------------------------------------------------

    async def run(
        self,
        payload: bytes,
        request_id: str = "",
        timeout: float | None = None,
        together: int = 1,
        headers: dict[str, str | None] | None = None,
    ) -> Result | None:
        """Run one invocation; None if all environments are busy and the concurrency does not allow another one.

        It begins when `together` invocations have their environments.
        """
        environment = self._reserve()
        if environment is None:
            return None
        try:
            await self._meet(together)
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

    async def _meet(self, size: int) -> None:
        if size == 1:
            return
        waiting = self._meeting
        waiting.append(self.loop.create_future())
        if len(waiting) < size:
            await waiting[-1]
            return
        for future in waiting:
            future.set_result(None)
        waiting.clear()

    async def _run_event(self, event: EventInvocation, payload: bytes) -> None:
        while len(event.results) < _ASYNC_ATTEMPTS:
            result = await self.run(payload, event.request_id)
            if result is None:  # throttled: Lambda keeps the event and retries later
                await asyncio.sleep(_THROTTLE_PAUSE)
                continue
            event.results.append(result)
            if not result.failed:
                break
            if len(event.results) < _ASYNC_ATTEMPTS:
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
                "approximateInvokeCount": len(event.results),
            },
            "requestPayload": json.loads(payload),
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": json.loads(event.results[-1].payload or b"null"),
        }


def _encoded(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
