"""Runs a simulator inside another program."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from .clock import Clock
from .control import ZohoControl
from .server import Server
from .settings import Settings
from .state import SimulatorState

_BACKLOG = 512


class Zoho:
    """A simulator that runs in its own thread and event loop.

    >>> with Zoho() as zoho:
    ...     job_id = zoho.control.start_job(run_seconds=60)
    ...     zoho.url, zoho.ca_file
    """

    url: str
    """https or http, 127.0.0.1, and the port; both the accounts domain and the API domain."""
    ca_file: Path | None
    """With TLS, the CA to trust."""
    control: ZohoControl

    def __init__(
        self,
        tls: bool | str | Path = False,
        port: int = 0,
        host: str = "127.0.0.1",
        speed: float = 1.0,
        **settings: Any,
    ) -> None:
        """`tls` can be the directory for ca.pem; `settings` are those of Settings."""
        self._tls = tls
        self._address = (host, port)
        self._speed = speed
        self._settings = Settings().changed(**settings)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Zoho:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start to listen. The port accepts connections when this returns."""
        listener = socket.create_server(self._address, backlog=_BACKLOG)
        host, port = listener.getsockname()[:2]
        right = wrong = None
        self.ca_file = None
        if self._tls:
            # Imported here because it takes as long to load as everything else.
            from .tls import make_certificates

            certificates = make_certificates(self._tls_directory())
            self.ca_file, right, wrong = certificates.ca_file, certificates.right, certificates.wrong_name
        self.url = f"{'https' if self._tls else 'http'}://{host}:{port}"
        self._state = SimulatorState(self._settings, Clock(self._speed), self.url)
        self._loop = asyncio.new_event_loop()
        server = Server(self._state, listener, right, wrong)
        self._serving = self._loop.create_task(server.run())
        self._thread = threading.Thread(target=self._run, name="zoho-simulator", daemon=True)
        self._thread.start()
        self.control = ZohoControl(self.url, self.ca_file)

    @property
    def access_tokens(self) -> list[str]:
        """All access tokens so far, also those whose response was lost."""
        return list(self._state.issuer.tokens)

    def stop(self) -> None:
        """Close every connection and the port."""
        self.control.close()
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serving)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    def _tls_directory(self) -> Path:
        if isinstance(self._tls, (str, Path)):
            return Path(self._tls)
        self._temporary = tempfile.TemporaryDirectory(prefix="zoho-ca-")
        return Path(self._temporary.name)
