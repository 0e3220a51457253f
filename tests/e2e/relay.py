"""A TCP relay: a test can end its connections, as servers and load balancers end idle ones, and put TLS in front."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from local.wire import RESET_ON_CLOSE

# What a relay does with a new connection first: the connection to forward, or None if it has ended it.
Front = Callable[[socket.socket], socket.socket | None]


class Relay:
    """Listens on a new port and forwards everything to one address; with a `front`, for `https`."""

    def __init__(self, url: str, front: Front | None = None) -> None:
        parts = urlsplit(url)
        self._front = front or (lambda client: client)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if front else parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.forwarded = 0
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def end_connections(self, reset: bool = False) -> None:
        """End every open connection: with a FIN to the client, or with an RST. It has been sent when this returns."""
        ending, self._open = self._open, []
        for client, reader in ending:
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            with contextlib.suppress(OSError):  # the client may have closed it
                client.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            # A reader in recv would keep the socket open.
            reader.join()
            client.close()

    def close(self) -> None:
        # Unlike close, this wakes the thread in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.end_connections()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client refused, or has gone
            if forwarded := self._front(client):
                self.forwarded += 1
                server = socket.create_connection(self._target)
                reader = threading.Thread(target=_forward, args=(forwarded, server), daemon=True)
                self._open.append((forwarded, reader))
                reader.start()
                _forward(server, forwarded)


def _forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(url: str, front: Front | None = None) -> Iterator[Relay]:
    made = Relay(url, front)
    try:
        yield made
    finally:
        made.close()
