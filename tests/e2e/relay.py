"""A TCP relay whose connections a test can end from the far side, as servers and load balancers do with idle ones."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """Listens on a port of its own and passes everything on to one address."""

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
        """End every connection that there is: a FIN to the client, or an RST. It has been sent when this returns."""
        ending, self._open = self._open, []
        for client, reader in ending:
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            with contextlib.suppress(OSError):  # the client may have hung up
                client.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            # The reader, in recv, would keep the socket open.
            reader.join()
            client.close()

    def close(self) -> None:
        # Wakes the thread that waits in accept, which a mere close would not.
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
            reader = threading.Thread(target=_carry, args=(client, server), daemon=True)
            self._open.append((client, reader))
            reader.start()
            threading.Thread(target=_carry, args=(server, client), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(url: str) -> Iterator[Relay]:
    made = Relay(url)
    try:
        yield made
    finally:
        made.close()
