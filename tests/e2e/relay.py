"""A TCP relay whose connections a test can end from the server's side, as servers and load balancers end idle ones."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from local.wire.steps import RESET_ON_CLOSE


class Relay:
    """Listens on a new port and forwards everything to one address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def end_connections(self, reset: bool) -> None:
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
        self.end_connections(reset=False)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._target)
            reader = threading.Thread(target=_forward, args=(client, server), daemon=True)
            self._open.append((client, reader))
            reader.start()
            threading.Thread(target=_forward, args=(server, client), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(url: str) -> Iterator[Relay]:
    made = Relay(url)
    try:
        yield made
    finally:
        made.close()
