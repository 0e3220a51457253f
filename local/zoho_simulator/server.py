"""The only part with sockets: parses requests with h11 and executes the steps of each response."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import h11

from local.wire.message import Request
from local.wire.steps import RESET_ON_CLOSE, AwaitReuse, Close, Pause, Reset, Send, SendForever, Step

from .state import CONTROL_PREFIX, SimulatorState

_RECEIVE = 65_536


class Server:
    """Serves a simulator's state on one port, over TLS if certificates are given."""

    def __init__(
        self,
        state: SimulatorState,
        listener: socket.socket,
        certificate: ssl.SSLContext | None = None,
        wrong_certificate: ssl.SSLContext | None = None,
    ) -> None:
        self._state = state
        self._listener = listener
        self._certificate = certificate
        self._wrong_certificate = wrong_certificate
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept connections until cancelled."""
        # asyncio's own accept loop would start TLS before a connection fault could act.
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        try:
            while True:
                try:
                    accepted, _ = await loop.sock_accept(self._listener)
                except ConnectionAbortedError:
                    continue
                task = loop.create_task(self._connection(accepted))
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
        finally:
            self._listener.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, accepted: socket.socket) -> None:
        fault = self._state.connection_fault()
        number = self._state.connections
        if fault == "reset-on-accept":
            _reset_on_close(accepted)
        if fault in ("reset-on-accept", "close-on-accept"):
            accepted.close()
            return
        if fault == "stall-on-accept":
            with contextlib.suppress(OSError), accepted:
                await _until_closed(accepted)
            return
        context = self._wrong_certificate if fault == "wrong-certificate" else self._certificate
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_RECEIVE, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        # A client that disconnects or rejects the certificate is not an error of the server.
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=context)
            connection = _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop), number)
            try:
                await connection.serve(self._state)
            except asyncio.CancelledError:
                transport.abort()
                raise
            finally:
                transport.close()


class _Connection:
    """One client connection and the requests on it, in sequence."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._reader = reader
        self._writer = writer
        self._number = number
        self._is_control = False
        self._is_last = False
        self._parser = h11.Connection(h11.SERVER)

    async def serve(self, state: SimulatorState) -> None:
        while not self._is_last and (request := await self._next_request()) is not None:
            if request.path.startswith(CONTROL_PREFIX):
                if not self._is_control:
                    self._is_control = True
                    state.control_connections += 1
                self._writer.write(state.control(request).encode())
                continue
            exchange = state.begin(request, self._number)
            try:
                for step in exchange.steps:
                    if not await self._execute(step):
                        return
            finally:
                state.end(exchange)

    async def _next_request(self) -> Request | None:
        """The next complete request; None at the end of the connection."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                self._parser.receive_data(await self._reader.read(_RECEIVE))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                self._start_next_cycle()
                self._is_last = head.http_version == b"1.0" or (b"connection", b"close") in head.headers
                headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
                return Request(head.method.decode(), head.target.decode("latin-1"), headers, bytes(body))
            else:
                return None

    def _start_next_cycle(self) -> None:
        # Responses are raw bytes that h11 never sees, so each request gets a new parser.
        left_over, _ = self._parser.trailing_data
        self._parser = h11.Connection(h11.SERVER)
        if left_over:
            self._parser.receive_data(left_over)

    async def _execute(self, step: Step) -> bool:
        """Execute one step. Returns False if the connection is over."""
        if isinstance(step, Send):
            self._writer.write(step.data)
            await self._writer.drain()
        elif isinstance(step, SendForever):
            while not self._writer.is_closing():
                self._writer.write(step.data)
                await self._writer.drain()
            return False
        elif isinstance(step, Pause):
            return not await self._closed_within(step.seconds)
        elif isinstance(step, AwaitReuse):
            return await self._next_request() is not None
        elif isinstance(step, Reset):
            _reset_on_close(self._writer.get_extra_info("socket"))
            self._writer.transport.abort()
            return False
        elif isinstance(step, Close):
            return False
        return True

    async def _closed_within(self, seconds: float | None) -> bool:
        """Wait that long, or until the client closes the connection. Returns whether it did."""
        loop = asyncio.get_running_loop()
        until = None if seconds is None else loop.time() + seconds
        while True:
            try:
                data = await asyncio.wait_for(
                    self._reader.read(_RECEIVE), None if until is None else until - loop.time()
                )
            except TimeoutError:
                return False
            if not data:
                return True
            # Sent early: kept for the next request.
            self._parser.receive_data(data)


def _reset_on_close(endpoint: socket.socket) -> None:
    """Make closing this socket send an RST instead of a FIN."""
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


async def _until_closed(accepted: socket.socket) -> None:
    """Read and discard everything until the other side closes the connection."""
    loop = asyncio.get_running_loop()
    accepted.setblocking(False)
    while await loop.sock_recv(accepted, _RECEIVE):
        pass
