"""The one AWS endpoint: Lambda invocations go to the local Lambda service, everything else to moto.

It records every request, and it can make the requests for an action of a service fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import aiohttp
import yarl
from aiohttp import web

from local import wire
from local.wait import wait_until

INVOKE_PATH = "/2015-03-31/functions/"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}
_VERBS = {"POST": "Create", "GET": "Get", "PUT": "Update", "DELETE": "Delete"}
# The error codes of services that do not use AccessDeniedException.
_DENIED = {"sns": "AuthorizationError", "sqs": "AccessDenied", "s3": "AccessDenied"}


@dataclass
class Call:
    """One request to AWS, as the gateway received it. `status` is None until the response."""

    service: str
    action: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None

    @property
    def access_key(self) -> str:
        """The access key that signed the request: the name of a role, or that of the test itself."""
        found = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        return found.group(1) if found else ""

    @property
    def parameters(self) -> dict:
        """The parameters of the request: a JSON body, or a form with the first value of each name."""
        text = self.body.decode()
        if text.startswith("{"):
            return json.loads(text)
        return {name: values[0] for name, values in urllib.parse.parse_qs(text).items()}


@dataclass(eq=False)
class Fault:
    """What happens to the requests for one action; also a context manager that ends it.

    With `hold`, a request first waits for `release()`. With `body`, the response is that text with that `status`; with
    only a `status`, it is an error with that `code`. In both cases, AWS never sees the request. With a
    `kind` of `local.wire`, AWS processes it, and the response fails in that way.
    """

    service: str
    action: str
    times: int | None = None
    hold: bool = False
    status: int | None = None
    code: str = "InternalFailure"
    body: str | None = None
    kind: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    _all: list[Fault] = field(default_factory=list, repr=False)
    _arrived: threading.Event = field(default_factory=threading.Event, repr=False)
    _released: threading.Event = field(default_factory=threading.Event, repr=False)

    def applies_to(self, call: Call) -> bool:
        return self.times != 0 and (self.service, self.action) == (call.service, call.action)

    def wait_until_held(self) -> None:
        """Wait for the first request that this fault holds."""
        wait_until(self._arrived.is_set, f"a request for {self.service}:{self.action}")

    def release(self) -> None:
        self._released.set()

    def end(self) -> None:
        self.release()
        with contextlib.suppress(ValueError):  # ended before
            self._all.remove(self)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Gateway:
    """Listens on one port of 127.0.0.1. Everything here except `add` and `clear` runs in the stack's event loop."""

    def __init__(self, invoke: Callable[[web.BaseRequest, str, bytes], Awaitable[web.Response]]) -> None:
        self._invoke = invoke
        self._faults: list[Fault] = []
        # moto handles requests in threads, but its state is not made for that: compare-and-set is not atomic, and a
        # change during an iteration is a 500.
        self._one_at_a_time = {service: asyncio.Lock() for service in ("secretsmanager", "sns", "sqs", "scheduler")}
        self._moto = ""
        self.observe: Callable[[Call], None] = lambda _: None
        """Called with every call that succeeded."""
        self._roles: dict[str, Callable[[Call], str | None]] = {}
        self.calls: list[Call] = []

    async def start(self) -> int:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        self._http = web.Server(self._handle, access_log=None)
        self._server = await asyncio.get_running_loop().create_server(self._http, "127.0.0.1", 0, backlog=1024)
        return self._server.sockets[0].getsockname()[1]

    def forward_to(self, moto_port: int) -> None:
        self._moto = f"http://127.0.0.1:{moto_port}"

    async def stop(self) -> None:
        self._server.close()
        await self._http.shutdown(0.01)
        await self._session.close()

    def enforce(self, role: str, denial: Callable[[Call], str | None]) -> None:
        """From now on, ask about every call that a role makes: a text denies it."""
        self._roles[role] = denial

    def add(self, fault: Fault) -> Fault:
        fault._all = self._faults
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        for fault in list(self._faults):
            fault.end()

    def _take(self, call: Call) -> Fault | None:
        fault = next((fault for fault in list(self._faults) if fault.applies_to(call)), None)
        if fault and fault.times is not None:
            fault.times -= 1
        return fault

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        service, action = identify(request.method, request.path, request.headers, body)
        call = Call(service, action, request.raw_path, dict(request.headers), body)
        self.calls.append(call)
        fault = self._take(call)
        if fault:
            if fault.hold:
                fault._arrived.set()
                while not fault._released.is_set():
                    await asyncio.sleep(0.005)
            if fault.status is not None:
                call.status = fault.status
                if fault.body is None:
                    return error_response(service, fault.status, fault.code, "as scripted")
                content_type = "text/html" if fault.body.startswith("<") else "application/json"
                return web.Response(status=fault.status, text=fault.body, content_type=content_type)
        # The test itself may do everything.
        if denial := self._roles.get(call.access_key, lambda _: None)(call):
            call.status = 403
            return error_response(service, 403, _DENIED.get(service, "AccessDeniedException"), denial)
        response = await self._respond(request, service, body)
        call.status = response.status
        if response.status < 300:
            self.observe(call)
        return await wire.fail(fault.kind, fault.parameters, request, response) if fault and fault.kind else response

    async def _respond(self, request: web.BaseRequest, service: str, body: bytes) -> web.Response:
        if request.path.startswith(INVOKE_PATH) and request.path.endswith("/invocations"):
            name = urllib.parse.unquote(request.raw_path[len(INVOKE_PATH) :].split("/")[0])
            return await self._invoke(request, function_name(name), body)
        async with self._one_at_a_time.get(service, contextlib.nullcontext()):
            return await self._forward(request, body)

    async def ask_moto(self, method: str, path: str, like: Call) -> Any:
        """The JSON response to a request of our own to the service of a call; None unless it succeeds."""
        headers = {"Authorization": like.headers["Authorization"]}
        async with self._session.request(method, self._moto + path, headers=headers) as response:
            return await response.json(content_type=None) if response.status == 200 else None

    async def _forward(self, request: web.BaseRequest, body: bytes) -> web.Response:
        dropped = _HOP_BY_HOP | {"content-encoding"}  # aiohttp has decoded the body
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in dropped]
        async with self._session.request(
            request.method,
            yarl.URL(self._moto + request.raw_path, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        ) as response:
            kept = [(n, v) for n, v in response.headers.items() if n.lower() not in _HOP_BY_HOP]
            return web.Response(status=response.status, headers=kept, body=await response.read())


def function_name(reference: str) -> str:
    """The name in a function's name or ARN, with or without a qualifier."""
    return reference.split(":function:")[-1].split(":")[0]


def identify(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """The service and the action of a request, as IAM names them."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    service = scope.group(1) if scope else "unknown"
    if path.startswith("/schedules/"):
        return "scheduler", f"{_VERBS[method]}Schedule"
    if path.startswith(INVOKE_PATH):
        return "lambda", "Invoke"
    target = headers.get("X-Amz-Target", "")
    if "." in target:
        return service, target.rsplit(".", 1)[1]
    form = urllib.parse.parse_qs(body.decode("latin-1")) if b"Action=" in body else {}
    return service, form.get("Action", [f"{method} {path}"])[0]


def error_response(service: str, status: int, code: str, message: str) -> web.Response:
    """An error response in the service's protocol."""
    request_id = str(uuid.uuid4())
    if service in ("s3", "sns"):
        text = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        if service == "sns":  # moto's state machines read the ID
            text = f"<ErrorResponse>{text}<RequestId>{request_id}</RequestId></ErrorResponse>"
        return web.Response(status=status, text=text, content_type="text/xml")
    headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": request_id}
    return web.json_response({"__type": code, "message": message}, status=status, headers=headers)
