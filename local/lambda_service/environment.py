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

from aiohttp import web

_RUNTIME = "/2018-06-01/runtime/"
_LINE_LIMIT = 16 * 1024 * 1024  # a trace line can be as long as a payload


@dataclass
class InvocationResult:
    """The result of one invocation.

    `error` is None or the value of X-Amz-Function-Error; `left` is the time in seconds until the deadline.
    """

    payload: bytes
    error: str | None = None
    left: float = 0.0


@dataclass
class PendingInvocation:
    """An invocation that an environment processes. `deadline` is in seconds since the Unix epoch."""

    payload: bytes
    request_id: str
    function_arn: str
    deadline: float
    client_context: str | None = None
    done: asyncio.Future[InvocationResult] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def finish(self, result: InvocationResult) -> None:
        if not self.done.done():
            result.left = self.deadline - time.time()
            self.done.set_result(result)


class Environment:
    """Runs in the event loop; any thread can read the plain attributes.

    `invocations` counts the invocations that it received; `lines` are `(stream, text)` in the order of arrival.
    """

    def __init__(self, binary: Path, variables: dict[str, str]) -> None:
        self._binary = binary
        self._variables = variables
        self._process: asyncio.subprocess.Process | None = None
        self._next: asyncio.Queue[PendingInvocation | None] = asyncio.Queue()
        self._current: PendingInvocation | None = None
        self._initialized: asyncio.Future[InvocationResult | None] = asyncio.get_running_loop().create_future()
        self.pid = 0
        self.exit_status: int | None = None
        self._killed = False
        self.invocations = 0
        self.lines: list[tuple[str, str]] = []
        self.started_at = 0.0
        self.init_seconds: float | None = None
        self.busy = False
        self.log_stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"

    @property
    def alive(self) -> bool:
        """Whether the process was started and has neither exited nor been killed."""
        return self.pid != 0 and self.exit_status is None and not self._killed

    @property
    def stdout(self) -> list[str]:
        return [text for stream, text in self.lines if stream == "stdout"]

    @property
    def stderr(self) -> list[str]:
        return [text for stream, text in self.lines if stream == "stderr"]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP and SIGCONT freeze and thaw the process as Lambda does between invocations."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self.alive:
            self._killed = True
            os.kill(self.pid, signal.SIGKILL)

    async def start(self) -> None:
        """Start the process. The first `invoke` waits until it is initialized."""
        loop = asyncio.get_running_loop()
        self._http = web.Server(self._handle, access_log=None)
        self._server = await loop.create_server(self._http, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        variables = {
            **self._variables,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
        }
        self.started_at = time.time()
        self._process = await asyncio.create_subprocess_exec(
            self._binary,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            start_new_session=True,  # the stack handles Ctrl-C
            env=variables,
        )
        self.pid = self._process.pid
        self._watcher = asyncio.create_task(self._watch(self._process))

    async def stop(self) -> None:
        """Kill the process and wait until it has exited and all of its output has been read."""
        self.kill()
        if self._process is not None:
            await self._watcher
            self._server.close()
            await self._http.shutdown(0.01)

    async def initialized(self, seconds: float) -> InvocationResult | None:
        """Wait until the process asks for its first invocation. A result means that the initialization failed."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._initialized), seconds)
        except TimeoutError:
            return timed_out("", seconds)

    async def invoke(self, pending: PendingInvocation) -> InvocationResult:
        """Give the process an invocation, and wait for its result, its exit, or the deadline (which kills it)."""
        self.invocations += 1
        if not self.alive:
            return exited(pending.request_id, self.exit_status)
        self._current = pending
        self._next.put_nowait(pending)
        started = time.time()
        try:
            return await asyncio.wait_for(asyncio.shield(pending.done), max(0.0, pending.deadline - started))
        except TimeoutError:
            self.kill()
            return timed_out(pending.request_id, pending.deadline - started)
        finally:
            self._current = None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        async def read(name: str, stream: asyncio.StreamReader) -> None:
            async for line in stream:
                self.lines.append((name, line.decode(errors="replace").rstrip("\n")))

        assert process.stdout
        assert process.stderr
        await asyncio.gather(read("stdout", process.stdout), read("stderr", process.stderr))
        self.exit_status = await process.wait()
        self._next.put_nowait(None)
        request_id = self._current.request_id if self._current else ""
        result = exited(request_id, self.exit_status)
        if not self._initialized.done():
            self._initialized.set_result(result)
        if self._current:
            self._current.finish(result)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix(_RUNTIME)
        if request.method == "GET" and path == "invocation/next":
            return await self._next_invocation()
        body = await request.content.read()
        if path == "init/error":
            self.init_seconds = time.time() - self.started_at
            if not self._initialized.done():
                self._initialized.set_result(InvocationResult(body, "Unhandled"))
            return web.json_response({"status": "OK"}, status=202)
        parts = path.split("/")
        if len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            pending = self._current
            if pending is None or pending.request_id != parts[1]:
                return web.json_response(
                    {"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"}, status=400
                )
            pending.finish(InvocationResult(body, "Unhandled" if parts[2] == "error" else None))
            return web.json_response({"status": "OK"}, status=202)
        return web.json_response({"errorType": "NotFound", "errorMessage": request.path}, status=404)

    async def _next_invocation(self) -> web.Response:
        if not self._initialized.done():
            self.init_seconds = time.time() - self.started_at
            self._initialized.set_result(None)
        pending = await self._next.get()
        if pending is None:  # the process has exited
            return web.Response(status=410)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": pending.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(pending.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": pending.function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        if pending.client_context:
            headers["Lambda-Runtime-Client-Context"] = pending.client_context
        return web.Response(body=pending.payload, headers=headers, content_type="application/json")


def timed_out(request_id: str, seconds: float) -> InvocationResult:
    return _failed("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds")


def exited(request_id: str, status: int | None) -> InvocationResult:
    reason = f"signal: {-status}" if status is not None and status < 0 else f"exit status {status}"
    return _failed("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {reason}")


def _failed(error_type: str, message: str) -> InvocationResult:
    return InvocationResult(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), "Unhandled")
