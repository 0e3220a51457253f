"""What really happens on a connection, byte by byte."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from local.zoho_simulator import Zoho

ENOUGH_SECONDS = 20
"""An end that is expected to come is waited for this long."""
QUIET_SECONDS = 0.1
"""How long nothing must come for a connection to count as stalled."""


@dataclass(frozen=True)
class Received:
    """What the other side sent, and what it did then: closed in order, reset, or fell silent."""

    data: bytes
    end: Literal["closed", "reset", "silent"]

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def header(self, name: str) -> str | None:
        lines = (line.partition(": ") for line in self.head.split("\r\n")[1:])
        return next((value for key, _, value in lines if key.lower() == name.lower()), None)


def connect(zoho: Zoho) -> socket.socket:
    """A connection to the simulator, over TLS if it has a CA."""
    address = urlsplit(zoho.url)
    connection = socket.create_connection((address.hostname, address.port or 0), timeout=ENOUGH_SECONDS)
    if zoho.ca_file is None:
        return connection
    context = ssl.create_default_context(cafile=str(zoho.ca_file))
    return context.wrap_socket(connection, server_hostname=address.hostname, suppress_ragged_eofs=False)


def send(connection: socket.socket, target: str, token: str) -> None:
    """Sends one GET."""
    request = f"GET {target} HTTP/1.1\r\nHost: zoho\r\nAuthorization: Zoho-oauthtoken {token}\r\n\r\n"
    connection.sendall(request.encode())


def read_to_end(connection: socket.socket) -> Received:
    """Everything up to the end of the connection, which has to come."""
    return _read(connection, at_least=None)


def read_some(connection: socket.socket, at_least: int = 1) -> Received:
    """At least so many bytes, and what follows them before a silence or the end."""
    return _read(connection, at_least)


def _read(connection: socket.socket, at_least: int | None) -> Received:
    data = b""
    while True:
        patient = at_least is None or len(data) < at_least
        connection.settimeout(ENOUGH_SECONDS if patient else QUIET_SECONDS)
        try:
            piece = connection.recv(1 << 20)
        except (ConnectionResetError, ssl.SSLEOFError):
            # Python's TLS words a reset as an end without close_notify.
            return Received(data, "reset")
        except TimeoutError:
            assert not patient, f"nothing came after {data!r}"
            return Received(data, "silent")
        if not piece:
            return Received(data, "closed")
        data += piece


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
