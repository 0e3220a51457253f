"""One execution environment: a process of the function, and the Runtime API that serves only this process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from local.clock import Clock

_RUNTIME = "/2018-06-01/runtime/"
_LINE_LIMIT = 16 * 1024 * 1024  # a trace line can be as long as a payload


@dataclass
class Invocation:
    """How an invocation ended. `left` is the time in seconds from the response to the deadline of the function."""

    body: bytes
    ok: bool = True
    left: float = 0.0

    @classmethod
    def failure(cls, error_type: str, message: str) -> Invocation:
        return cls(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), ok=False)

    @property
    def payload(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def error_type(self) -> str | None:
        return None if self.ok else self.payload.get("errorType", "")

    @property
    def error_message(self) -> str | None:
        return None if self.ok else self.payload.get("errorMessage", "")


@dataclass
class Pending:
    """An invocation that an environment processes. `deadline` is in seconds since the Unix epoch.

    `headers` replace those of the Runtime API; None leaves one out.
    """

    payload: bytes
    request_id: str
    function_arn: str
    deadline: float
    headers: dict[str, str | None]
    done: asyncio.Future[Invocation] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def finish(self, result: Invocation) -> None:
        if not self.done.done():
            result.left = self.deadline - time.time()
            self.done.set_result(result)


class Environment:
    """Runs in the event loop; any thread can read the plain attributes.

    `invocations` counts the invocations that it received; `lines` are those of both outputs in the order of arrival.
    """

    def __init__(self, binary: Path, variables: dict[str, str], clock: Clock) -> None:
        self._binary = binary
        self._variables = variables
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._next: asyncio.Queue[Pending | None] = asyncio.Queue()
        self._current: Pending | None = None
        self._initialized: asyncio.Future[Invocation | None] = asyncio.get_running_loop().create_future()
        self.pid = 0
        self.alive = False
        self.invocations = 0
        self.lines: list[str] = []
        self.busy = False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP and SIGCONT freeze and thaw the process as Lambda does between invocations."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self.alive:
            self.alive = False
            os.kill(self.pid, signal.SIGKILL)

    async def start(self) -> None:
        """Start the process. The first `invoke` waits until it is initialized."""
        self._http = web.Server(self._handle, access_log=None)
        self._server = await asyncio.get_running_loop().create_server(self._http, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        own = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}", "AWS_LAMBDA_LOG_STREAM_NAME": stream}
        self._process = await asyncio.create_subprocess_exec(
            self._binary,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            start_new_session=True,  # the stack handles Ctrl-C
            env={**self._variables, **own},
        )
        self.pid, self.alive = self._process.pid, True
        self._watcher = asyncio.create_task(self._watch(self._process))

    async def stop(self) -> None:
        """Kill the process and wait until it has exited and all of its output has been read."""
        self.kill()
        if self._process is not None:
            await self._watcher
            self._server.close()
            await self._http.shutdown(0.01)

    async def initialized(self, seconds: float) -> Invocation | None:
        """Wait until the process asks for its first invocation. A result means that the initialization failed."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._initialized), seconds)
        except TimeoutError:
            return _timed_out("", seconds)

    async def invoke(self, pending: Pending) -> Invocation:
        """Give the process an invocation, and wait for its result, its exit, or the deadline (which kills it)."""
        self.invocations += 1
        if not self.alive:
            return _exited(pending.request_id, None)
        self._current = pending
        self._next.put_nowait(pending)
        seconds = max(0.0, pending.deadline - time.time())
        try:
            return await asyncio.wait_for(asyncio.shield(pending.done), seconds)
        except TimeoutError:
            self.kill()
            return _timed_out(pending.request_id, seconds)
        finally:
            self._current = None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        async def read(stream: asyncio.StreamReader) -> None:
            async for line in stream:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))

        await asyncio.gather(read(process.stdout), read(process.stderr))
        status = await process.wait()
        self.alive = False
        self._next.put_nowait(None)
        result = _exited(self._current.request_id if self._current else "", status)
        self._end_init(result)
        if self._current:
            self._current.finish(result)

    def _end_init(self, result: Invocation | None) -> None:
        if not self._initialized.done():
            self._initialized.set_result(result)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix(_RUNTIME)
        if request.method == "GET" and path == "invocation/next":
            return await self._next_invocation()
        body = await request.content.read()
        _, request_id, kind = path.split("/")
        if self._current is None or self._current.request_id != request_id:
            error = {"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"}
            return web.json_response(error, status=400)
        self._current.finish(Invocation(body, ok=kind != "error"))
        return web.json_response({"status": "OK"}, status=202)

    async def _next_invocation(self) -> web.Response:
        self._end_init(None)
        pending = await self._next.get()
        if pending is None:  # the process has exited
            return web.Response(status=410)
        # On the process's own clock, which may be faster than the real one.
        deadline = self._clock.now() + (pending.deadline - time.time()) * self._clock.speed
        headers = {
            "Lambda-Runtime-Aws-Request-Id": pending.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": pending.function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        headers = {name: value for name, value in {**headers, **pending.headers}.items() if value is not None}
        return web.Response(body=pending.payload, headers=headers, content_type="application/json")


def _timed_out(request_id: str, seconds: float) -> Invocation:
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return Invocation.failure("Sandbox.Timedout", message)


def _exited(request_id: str, status: int | None) -> Invocation:
    reason = f"signal: {-status}" if status is not None and status < 0 else f"exit status {status}"
    message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
    return Invocation.failure("Runtime.ExitError", message)
