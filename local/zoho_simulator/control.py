"""The client of the control endpoint: how tests and the demonstration control a simulator."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .faults import Side
from .jobs import MAXIMUM_RECORDS, Shape
from .oauth import DEFAULT_SCOPE
from .records import Stats
from .state import CONTROL_PREFIX

_TIMEOUT_SECONDS = 30


class ZohoControl:
    """Controls a simulator over HTTP. Threads can share an instance.

    It keeps one connection open, so that faults of new connections never affect the control client itself.
    Operations raise ValueError for arguments that the simulator rejects.
    """

    def __init__(self, url: str, ca_file: Path | str | None = None) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
            self._connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def start_job(
        self,
        module: str = "Leads",
        total: int = MAXIMUM_RECORDS,
        queue_seconds: float = 0,
        run_seconds: float = 60,
        shape: Shape = "linear",
        failed: int = 0,
        left_over: int = 0,
        job_id: str | None = None,
        shows_progress: bool = True,
    ) -> str:
        """Start a job without the CRM API and return its ID. The parameters are those of `jobs.Job`."""
        return self._call(
            "start_job",
            module=module,
            total=total,
            queue_seconds=queue_seconds,
            run_seconds=run_seconds,
            shape=shape,
            failed=failed,
            left_over=left_over,
            job_id=job_id,
            shows_progress=shows_progress,
        )

    def advance(self, seconds: float) -> float:
        """Move the simulated clock forward and return the new time."""
        return self._call("advance", seconds=seconds)

    def set_speed(self, speed: float) -> None:
        """From now on, one real second is `speed` simulated seconds; 0 stops the clock."""
        self._call("set_speed", speed=speed)

    def now(self) -> float:
        """The simulated time in seconds since the epoch."""
        return self._call("now")

    def fault(self, kind: str, times: int = 1, side: Side | None = None, **params: Any) -> None:
        """Give the next `times` requests (to one side, if `side` is given) or connections this fault."""
        self._call("fault", kind=kind, times=times, side=side, params=params)

    def respond(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: Any = "",
        times: int = 1,
        side: Side | None = "crm",
        raw: bytes | None = None,
    ) -> None:
        """Script the next `times` responses. A body that is not a string is sent as JSON.

        If `raw` is given, it is sent byte for byte instead, and the connection is closed.
        """
        if raw is not None:
            self.fault("response", times, side, raw=base64.b64encode(raw).decode())
            return
        text = body if isinstance(body, str) else json.dumps(body)
        self.fault("response", times, side, status=status, headers=dict(headers or {}), body=text)

    def random_faults(self, rate: float, seed: int, kinds: Sequence[str], side: Side | None = None) -> None:
        """Make that share of all requests fail until clear_faults; the same seed selects the same requests."""
        self._call("random_faults", rate=rate, seed=seed, kinds=list(kinds), side=side)

    def clear_faults(self) -> None:
        """Discard every fault and scripted response that has not happened yet."""
        self._call("clear_faults")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (see Settings) and return all of them."""
        return self._call("settings", **changes)

    def stats(self, records: bool = True) -> Stats:
        """The requests since the start or the last reset; without `records`, only the figures."""
        return Stats.from_json(self._call("stats", records=records))

    def issue_token(self, scope: str = DEFAULT_SCOPE, life_seconds: float = 3600) -> str:
        """Issue a valid access token outside of every limit."""
        return self._call("issue_token", scope=scope, life_seconds=life_seconds)

    def revoke(self, token: str) -> bool:
        """Revoke an access token. Returns False if there is no such token."""
        return self._call("revoke", token=token)

    def add_client(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str | None = None,
        soid: str | None = None,
        scope: str = DEFAULT_SCOPE,
    ) -> None:
        """Register a client that can mint tokens with a refresh token, for an organization, or both."""
        self._call(
            "add_client",
            client_id=client_id,
            client_secret=client_secret,
            refresh_token=refresh_token,
            soid=soid,
            scope=scope,
        )

    def expect_login(self, *answers: Any, interval: float = 5, life: float = 300) -> None:
        """Say how the next login goes: the answers to its polls (errors, or whole bodies). Then it is accepted."""
        self._call("expect_login", answers=answers, interval=interval, life=life)

    def login_code(self) -> str:
        """Generate the one-time code of a self client."""
        return self._call("login_code")

    def reset(self) -> None:
        """Return to the start: no jobs, tokens, faults, or records, and the first settings. The clock keeps running."""
        self._call("reset")

    def _call(self, operation: str, **arguments: Any) -> Any:
        with self._lock:
            try:
                self._connection.request("POST", CONTROL_PREFIX + operation, json.dumps(arguments))
                response = self._connection.getresponse()
                content = json.loads(response.read())
            except OSError:
                # The next operation opens a new connection, perhaps to a restarted simulator.
                self._connection.close()
                raise
        if response.status != 200:
            raise ValueError(content["error"])
        return content
