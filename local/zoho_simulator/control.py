"""The client of the control endpoint: what tests and the demonstration use to direct a simulator."""

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
    """Directs a simulator over HTTP. Any number of threads may share one.

    It keeps its one connection, so that faults of new connections never hit the control client itself.
    Operations raise ValueError for arguments that the simulator refuses.
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
    ) -> str:
        """Starts a job without the CRM API; answers its id. `left_over` records are never taken up."""
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
        )

    def advance(self, seconds: float) -> float:
        """Moves the simulated clock forwards; answers the new time."""
        return self._call("advance", seconds=seconds)

    def set_speed(self, speed: float) -> None:
        """One real second is `speed` simulated ones from now on; 0 stops the clock."""
        self._call("set_speed", speed=speed)

    def now(self) -> float:
        """Simulated time, seconds since the epoch."""
        return self._call("now")

    def fault(self, kind: str, times: int = 1, side: Side | None = None, **params: Any) -> None:
        """The next `times` requests (of one side, if `side` is given) or connections meet this fault."""
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
        """Scripts the next `times` answers. A body that is no string is sent as JSON.

        `raw` is sent byte for byte instead, and the connection closed.
        """
        if raw is not None:
            self.fault("response", times, side, raw=base64.b64encode(raw).decode())
            return
        text = body if isinstance(body, str) else json.dumps(body)
        self.fault("response", times, side, status=status, headers=dict(headers or {}), body=text)

    def random_faults(self, rate: float, seed: int, kinds: Sequence[str], side: Side | None = None) -> None:
        """That share of all requests goes wrong, the same ones for the same seed, until clear_faults."""
        self._call("random_faults", rate=rate, seed=seed, kinds=list(kinds), side=side)

    def clear_faults(self) -> None:
        """Forgets every fault and scripted response that has not yet happened."""
        self._call("clear_faults")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Changes settings (see Settings); answers all of them."""
        return self._call("settings", **changes)

    def stats(self, records: bool = True) -> Stats:
        """What was asked and answered since the start or the last reset; figures alone without `records`."""
        return Stats.from_json(self._call("stats", records=records))

    def issue_token(self, scope: str = DEFAULT_SCOPE, life_seconds: float = 3600) -> str:
        """A live access token that no limit counts."""
        return self._call("issue_token", scope=scope, life_seconds=life_seconds)

    def revoke(self, token: str) -> bool:
        """Ends an access token's life; false if there was no such token."""
        return self._call("revoke", token=token)

    def add_client(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str | None = None,
        soid: str | None = None,
        scope: str = DEFAULT_SCOPE,
    ) -> None:
        """Registers a client that may mint tokens from a refresh token, for an org, or both."""
        self._call(
            "add_client",
            client_id=client_id,
            client_secret=client_secret,
            refresh_token=refresh_token,
            soid=soid,
            scope=scope,
        )

    def reset(self) -> None:
        """Back to the start: no jobs, tokens, faults or records, the first settings. The clock goes on."""
        self._call("reset")

    def _call(self, operation: str, **arguments: Any) -> Any:
        with self._lock:
            try:
                self._connection.request("POST", CONTROL_PREFIX + operation, json.dumps(arguments))
                response = self._connection.getresponse()
                content = json.loads(response.read())
            except OSError:
                # The next call opens a new connection, to a simulator that was started anew, perhaps.
                self._connection.close()
                raise
        if response.status != 200:
            raise ValueError(content["error"])
        return content
