"""What happens on a connection, byte by byte."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from local.zoho_simulator import Zoho

ENOUGH_SECONDS = 20
"""How long to wait for an expected event."""
QUIET_SECONDS = 0.1
"""A connection without data for this long counts as stalled."""


@dataclass(frozen=True)
class Received:
    """What the other side sent, and what it did then: closed the connection, reset it, or went silent."""

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
    """Connect to the simulator, over TLS if it has a CA."""
    address = urlsplit(zoho.url)
    connection = socket.create_connection((address.hostname, address.port or 0), timeout=ENOUGH_SECONDS)
    if zoho.ca_file is None:
        return connection
    context = ssl.create_default_context(cafile=str(zoho.ca_file))
    return context.wrap_socket(connection, server_hostname=address.hostname, suppress_ragged_eofs=False)


def send(connection: socket.socket, target: str, token: str) -> None:
    """Send a GET request."""
    request = f"GET {target} HTTP/1.1\r\nHost: zoho\r\nAuthorization: Zoho-oauthtoken {token}\r\n\r\n"
    connection.sendall(request.encode())


def read_to_end(connection: socket.socket) -> Received:
    """Read everything until the connection ends, which it must."""
    return _read(connection, at_least=None)


def read_some(connection: socket.socket, at_least: int = 1) -> Received:
    """Read at least this many bytes, and what follows them before a silence or the end."""
    return _read(connection, at_least)


def _read(connection: socket.socket, at_least: int | None) -> Received:
    data = b""
    while True:
        more_expected = at_least is None or len(data) < at_least
        connection.settimeout(ENOUGH_SECONDS if more_expected else QUIET_SECONDS)
        try:
            piece = connection.recv(1 << 20)
        except (ConnectionResetError, ssl.SSLEOFError):
            # Python's TLS reports a reset as an end without close_notify.
            return Received(data, "reset")
        except TimeoutError:
            assert not more_expected, f"nothing was received after {data!r}"
            return Received(data, "silent")
        if not piece:
            return Received(data, "closed")
        data += piece
