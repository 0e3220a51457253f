"""The simulated Zoho without a socket: requests in, steps for the socket out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from local.wire.message import Request, Response
from local.wire.steps import Pause, Step

from . import accounts
from .clock import Clock
from .crm import Crm
from .device import Logins
from .faults import Fault, FaultPlan, RandomFaults, Side, no_fault
from .oauth import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SCOPE,
    DEFAULT_SOID,
    Client,
    TokenIssuer,
)
from .records import RequestRecord, Stats
from .settings import Settings

CONTROL_PREFIX = "/_control/"


@dataclass
class Exchange:
    """One request in progress: the steps of its response, and its record."""

    steps: list[Step]
    record: RequestRecord


class SimulatorState:
    """State and rules. Not thread-safe: the server calls it from its one event loop."""

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None, url: str = "") -> None:
        self.url = url
        self.connections = 0
        self.control_connections = 0
        self._initial = self.settings = settings or Settings()
        self.clock = clock or Clock()
        self._running = 0
        self.reset()

    # ---- for the server ----------------------------------------------------------------------------

    def connection_fault(self) -> str | None:
        """Count a new connection and return the kind of fault it gets, if any."""
        self.connections += 1
        fault = self.faults.for_connection()
        return fault.kind if fault else None

    def begin(self, request: Request, connection: int) -> Exchange:
        """Process one client request. Call `end` once the steps have been executed."""
        side: Side = "accounts" if request.path.startswith("/oauth/") else "crm"
        fault = self.faults.for_request(side)
        record = self._record(request, side, connection)
        if fault is not None and fault.replaces:
            steps = fault.steps(Response(0))
        else:
            response = self._response(request, side)
            record.status = response.status
            steps = fault.steps(response) if fault is not None else no_fault(response)
        record.fault = fault.kind if fault else None
        if self.settings.latency_seconds:
            steps = [Pause(self.settings.latency_seconds), *steps]
        self._running += side == "crm"
        return Exchange(steps, record)

    def end(self, exchange: Exchange) -> None:
        """The exchange is over, whether it succeeded or not."""
        self._running -= exchange.record.side == "crm"

    def control(self, request: Request) -> Response:
        """Respond to a request to the control endpoint: arguments in a JSON object, the result as JSON."""
        operation = self._operations().get(request.path.removeprefix(CONTROL_PREFIX))
        if operation is None:
            return Response.json(404, {"error": f"the operations are {', '.join(sorted(self._operations()))}"})
        try:
            return Response.json(200, operation(**(json.loads(request.body) if request.body else {})))
        except (TypeError, ValueError) as error:
            return Response.json(400, {"error": str(error)})

    # ---- operations of the control endpoint --------------------------------------------------------

    def _operations(self) -> dict[str, Callable[..., Any]]:
        return {
            "start_job": self.start_job,
            "advance": self.clock.advance,
            "set_speed": self.clock.set_speed,
            "now": self.clock.now,
            "fault": self.fault,
            "random_faults": self.random_faults,
            "clear_faults": self.clear_faults,
            "settings": self.change_settings,
            "stats": lambda records=True: asdict(self.stats(records)),
            "issue_token": self.issue_token,
            "revoke": self.revoke,
            "add_client": self.add_client,
            "expect_login": self.expect_login,
            "login_code": lambda: self.logins.code(self.clock.now()),
            "reset": self.reset,
        }

    def start_job(self, module: str = "Leads", job_id: str | None = None, **plan: Any) -> str:
        return self.crm.start_job(self.clock.now(), module, job_id, **plan).job_id

    def fault(self, kind: str, times: int = 1, side: Side | None = None, params: dict[str, Any] | None = None) -> None:
        if kind == "wrong-certificate" and not self.url.startswith("https:"):
            raise ValueError("wrong-certificate needs TLS")
        self.faults.add(Fault(kind, times, side, params or {}))

    def random_faults(self, rate: float, seed: int, kinds: list[str], side: Side | None = None) -> None:
        self.faults.at_random = RandomFaults(rate, seed, kinds, side)

    def clear_faults(self) -> None:
        self.faults = FaultPlan()

    def change_settings(self, **changes: Any) -> dict[str, Any]:
        self.settings = self.settings.changed(**changes)
        return asdict(self.settings)

    def stats(self, records: bool = True) -> Stats:
        now = self.clock.now()
        return Stats(
            requests={side: sum(record.side == side for record in self.records) for side in ("crm", "accounts")},
            connections=self._client_connections() - self._connections_before,
            tokens_minted=self.issuer.minted,
            tokens_valid=self.issuer.count_valid(now),
            tokens_throttled=self.issuer.throttled,
            credits_used=self.crm.credits.used,
            jobs=len(self.crm.jobs),
            records=self.records if records else [],
        )

    def issue_token(self, scope: str = DEFAULT_SCOPE, life_seconds: float = 3600) -> str:
        return self.issuer.issue(scope, life_seconds, self.clock.now()).value

    def revoke(self, token: str) -> bool:
        return self.issuer.revoke(token)

    def add_client(
        self,
        client_id: str,
        client_secret: str,
        refresh_token: str | None = None,
        soid: str | None = None,
        scope: str = DEFAULT_SCOPE,
    ) -> None:
        self.issuer.add_client(Client(client_id, client_secret, refresh_token, soid, scope))

    def expect_login(self, answers: list[Any], **times: float) -> None:
        self.logins = Logins(answers, **times)

    def reset(self) -> None:
        """Return to the start: no jobs, tokens, faults, or records, and the first settings. The clock keeps running."""
        self.settings = self._initial
        self.issuer = TokenIssuer()
        self.logins = Logins()
        self.crm = Crm(self.issuer)
        self.faults = FaultPlan()
        self.records: list[RequestRecord] = []
        self._connections_before = self._client_connections()
        self.add_client(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, DEFAULT_SOID)

    # ---- private -----------------------------------------------------------------------------------

    def _client_connections(self) -> int:
        return self.connections - self.control_connections

    def _response(self, request: Request, side: Side) -> Response:
        now = self.clock.now()
        if side == "crm":
            return self.crm.handle(request, self._running, now, self.settings)
        return accounts.handle(self.issuer, self.logins, request, now, self.settings, self.url)

    def _record(self, request: Request, side: Side, connection: int) -> RequestRecord:
        scheme, token = request.authorization()
        record = RequestRecord(
            number=len(self.records) + 1,
            at=self.clock.now(),
            side=side,
            connection=connection,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=dict(request.headers),
            body=request.body.decode("utf-8", "replace"),
            scheme=scheme,
            token=token,
        )
        self.records.append(record)
        return record
