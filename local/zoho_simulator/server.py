"""The simulator as a server in a thread of its own: the only part with sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from local import wire
from local.clock import Clock

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

        return lambda *arguments, **more: asyncio.run_coroutine_threadsafe(
            call(*arguments, **more), self._loop
        ).result()


class Zoho:
    """A simulator on a port of this machine, for the duration of a `with` block.

    >>> with Zoho() as zoho:
    ...     job_id = zoho.control.start_job(run_seconds=60)
    ...     zoho.url, zoho.ca_file
    """

    url: str
    """https or http, 127.0.0.1, and the port; both the accounts domain and the API domain."""
    ca_file: Path | None = None
    """With TLS, the CA to trust."""
    control: ZohoControl
    """Its methods can be called from any thread."""

    def __init__(self, tls: bool | str | Path = False, port: int = 0, speed: float = 1.0, **settings: Any) -> None:
        """`tls` can be the directory for ca.pem; `settings` are those of Settings."""
        self._tls = tls
        self._port = port
        self._speed = speed
        self._settings = Settings().changed(**settings)

    def __enter__(self) -> Zoho:
        self._ends = contextlib.ExitStack()
        listener = socket.create_server(("127.0.0.1", self._port), backlog=512)
        context = self._certificate() if self._tls else None
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        self._state = ZohoControl(self._settings, Clock(self._speed), self.url)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        serving = self._serve(listener, context)
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(serving), name="zoho-simulator")
        self._thread.daemon = True
        self._thread.start()
        self.control = _FromOtherThreads(self._state, self._loop)  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
        self._ends.close()

    @property
    def access_tokens(self) -> list[str]:
        """All access tokens so far, also those whose response was lost."""
        return list(self._state.issuer.tokens)

    def _certificate(self) -> ssl.SSLContext:
        # Imported here because it takes as long to load as everything else.
        import trustme

        directory = self._tls
        if directory is True:
            directory = self._ends.enter_context(tempfile.TemporaryDirectory(prefix="zoho-ca-"))
        authority = trustme.CA()
        self.ca_file = Path(directory) / "ca.pem"
        self.ca_file.parent.mkdir(parents=True, exist_ok=True)
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
        return context

    async def _serve(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        self._http = web.Server(self._handle, access_log=None)
        server = await self._loop.create_server(self._http, sock=listener, ssl=context, backlog=512)
        await self._stop.wait()
        server.close()
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
