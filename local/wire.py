"""What a server can do to a client in place of a good response: the faults of the Zoho simulator and of the gateway."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing a socket sends an RST instead of a FIN."""
_WRITE_BUFFER = 1 << 20


class _Connection:
    """The connection of a request, from here on without aiohttp, and the response that it would have got."""

    def __init__(self, request: web.BaseRequest, response: web.Response) -> None:
        self.transport = request.transport
        self.body = response.body if isinstance(response.body, bytes) else b""
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        self.head = "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode("latin-1")

    def send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    async def pause(self, seconds: float | None) -> None:
        """Wait in real time, or (None) until the client closes the connection."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.transport.is_closing() and (end is None or time.monotonic() < end):
            await asyncio.sleep(0.01)

    async def send_forever(self, data: bytes) -> None:
        while not self.transport.is_closing():
            if self.transport.get_write_buffer_size() < _WRITE_BUFFER:
                self.transport.write(data)
            await asyncio.sleep(0.001)


async def _stall(connection: _Connection, seconds: float | None = None) -> None:
    await connection.pause(seconds)
    connection.send(connection.head + connection.body)


async def _stall_in_body(connection: _Connection, seconds: float | None = None) -> None:
    half = len(connection.body) // 2
    connection.send(connection.head + connection.body[:half])
    await connection.pause(seconds)
    connection.send(connection.body[half:])


async def _truncate(connection: _Connection) -> None:
    connection.send(connection.head + connection.body[: len(connection.body) // 2])


async def _reset(connection: _Connection) -> None:
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.transport.abort()


async def _close(_: _Connection) -> None:
    """Nothing is sent."""


async def _garbage(connection: _Connection) -> None:
    connection.send(b"\x16\x03not HTTP")


async def _endless(connection: _Connection, where: str = "body") -> None:
    """A response whose body or headers never end."""
    if where == "headers":
        connection.send(b"HTTP/1.1 200 OK\r\n")
        await connection.send_forever(b"X-More: " + b"A" * 8_000 + b"\r\n")
        return
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.send(head + b'10\r\n{"data":[{"A":"A\r\n')
    await connection.send_forever(b"10000\r\n" + b"A" * 65_536 + b"\r\n")


FAULTS: dict[str, Callable[..., Awaitable[None]]] = {
    "delay": _stall,
    "stall": _stall,
    "stall-in-body": _stall_in_body,
    "reset": _reset,
    "close": _close,
    "truncate": _truncate,
    "garbage": _garbage,
    "endless": _endless,
}


async def fail(kind: str, parameters: dict[str, Any], request: web.BaseRequest, response: web.Response) -> web.Response:
    """Do that to the client of a request, and close the connection. What is returned is never sent."""
    connection = _Connection(request, response)
    await FAULTS[kind](connection, **parameters)
    connection.transport.close()
    return web.Response()
