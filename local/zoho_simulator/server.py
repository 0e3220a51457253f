"""The simulator as a server in a thread of its own: the only part with sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from aiohttp import web

from local import wire
from local.clock import Clock
from local.loop import background_loop, run_in

from .control import OPERATIONS, Fault, ZohoControl, operate
from .records import RequestRecord, Side
from .settings import Settings

CONTROL_PREFIX = "/_control/"


class _FromOtherThreads:
    """The methods of a control, each executed in the event loop."""

    def __init__(self, control: ZohoControl, loop: asyncio.AbstractEventLoop) -> None:
        self._control = control
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPERATIONS:
            raise AttributeError(name)

        async def call(*arguments: Any, **more: Any) -> Any:
            return getattr(self._control, name)(*arguments, **more)

        return lambda *arguments, **more: run_in(self._loop, call(*arguments, **more))


class Zoho:
    """A simulator on a port of this machine, for the duration of a `with` block.

    >>> with Zoho() as zoho:
    ...     job_id = zoho.control.start_job(run_seconds=60)
    ...     zoho.url
    """

    url: str
    """http, 127.0.0.1, and the port; both the accounts domain and the API domain."""
    control: ZohoControl
    """Its methods can be called from any thread."""

    def __init__(self, port: int = 0, speed: float = 1.0, **settings: Any) -> None:
        """`settings` are those of Settings."""
        self._port = port
        self._speed = speed
        self._settings = Settings().changed(**settings)

    def __enter__(self) -> Zoho:
        with contextlib.ExitStack() as started:
            loop = started.enter_context(background_loop("zoho-simulator"))
            port = run_in(loop, self._start())
            started.callback(lambda: run_in(loop, self._end()))
            self.url = f"http://127.0.0.1:{port}"
            self._state = ZohoControl(self._settings, Clock(self._speed), self.url)
            self.control = _FromOtherThreads(self._state, loop)  # type: ignore[assignment]
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    @property
    def access_tokens(self) -> list[str]:
        """All access tokens so far, also those whose response was lost."""
        return list(self._state.issuer.tokens)

    async def _start(self) -> int:
        self._http = web.Server(self._handle, access_log=None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._http, "127.0.0.1", self._port, backlog=512)
        return self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        await self._http.shutdown(0.01)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.path.startswith(CONTROL_PREFIX):
            status, result = operate(self._state, request.path.removeprefix(CONTROL_PREFIX), body)
            return web.json_response(result, status=status)
        side: Side = "accounts" if request.path.startswith("/oauth/") else "crm"
        record = self._record(request, side, body)
        fault = self._state.take_fault(side)
        self._state.running += side == "crm"
        try:
            return await self._respond(request, record, fault)
        finally:
            self._state.running -= side == "crm"

    async def _respond(
        self, request: web.BaseRequest, record: RequestRecord, fault: Fault | None
    ) -> web.StreamResponse:
        if fault and fault.kind == "response":
            script = fault.parameters
            record.status = script["status"]
            return web.Response(status=record.status, headers=script["headers"], body=script["text"].encode())
        response = self._processed(record)
        record.status = response.status
        return await wire.fail(fault.kind, fault.parameters, request, response) if fault else response

    def _processed(self, record: RequestRecord) -> web.Response:
        state, now, settings = self._state, self._state.clock.now(), self._state.current
        if record.side == "crm":
            return state.crm.respond(record, state.running - 1, now, settings)
        if (login := state.logins.respond(record.path, record.form(), state.issuer, now)) is not None:
            return web.json_response(login)
        if settings.token_api_domain is None:
            settings = settings.changed(token_api_domain=self.url)
        return state.issuer.respond(record, now, settings)

    def _record(self, request: web.BaseRequest, side: Side, body: bytes) -> RequestRecord:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        record = RequestRecord(
            at=self._state.clock.now(),
            side=side,
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body.decode("utf-8", "replace"),
            scheme=scheme,
            token=token.strip(),
        )
        self._state.records.append(record)
        return record
