"""What tests, the demonstration, and people can do with a simulator, and what it tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from local.clock import Clock
from local.wire import FAULTS

from .crm import Crm
from .device import Logins
from .oauth import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SCOPE,
    DEFAULT_SOID,
    Client,
    TokenIssuer,
)
from .records import RequestRecord, Side, Stats
from .settings import Settings


@dataclass
class Fault:
    """A fault of `local.wire`, or a scripted response, for the next `times` requests to `side` (None: either side)."""

    kind: str
    times: int
    side: Side | None
    parameters: dict[str, Any] = field(default_factory=dict)


class ZohoControl:
    """The state of a simulator and what changes it. Everything here runs in the simulator's event loop; `Zoho.control`
    has the same methods for other threads. They raise ValueError for arguments that make no sense.
    """

    def __init__(self, settings: Settings, clock: Clock, url: str) -> None:
        self.url = url
        self.clock = clock
        self.running = 0
        self._first_settings = settings
        self.reset()

    def reset(self) -> None:
        """Return to the start: no jobs, tokens, faults, or records, and the first settings. The clock keeps running."""
        self.current = self._first_settings
        self.issuer = TokenIssuer()
        self.logins = Logins()
        self.crm = Crm(self.issuer)
        self.faults: list[Fault] = []
        self.records: list[RequestRecord] = []
        self.add_client(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, DEFAULT_SOID)

    def start_job(self, module: str = "Leads", job_id: str | None = None, **plan: Any) -> str:
        """Start a job without the CRM API and return its ID. The plan is the parameters of `jobs.Job`."""
        return self.crm.start_job(self.clock.now(), module, job_id, **plan).job_id

    def advance(self, seconds: float) -> float:
        """Move the simulated clock forward and return the new time."""
        return self.clock.advance(seconds)

    def set_speed(self, speed: float) -> None:
        """From now on, one real second is `speed` simulated seconds; 0 stops the clock."""
        self.clock.set_speed(speed)

    def now(self) -> float:
        """The simulated time in seconds since the epoch."""
        return self.clock.now()

    def fault(self, kind: str, times: int = 1, side: Side | None = None, **parameters: Any) -> None:
        """Give the next `times` requests (to one side, if `side` is given) this fault of `local.wire`.

        The request has been processed (a token issued, a job started) when its response fails.
        """
        if kind not in FAULTS:
            raise ValueError(f"kind must be one of {', '.join(FAULTS)}")
        self.faults.append(Fault(kind, times, side, parameters))

    def respond(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: Any = "",
        times: int = 1,
        side: Side | None = "crm",
    ) -> None:
        """Script the next `times` responses, without processing the requests. A body that is no string becomes JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        content_type = {"Content-Type": "application/json;charset=utf-8"}
        script = {"status": status, "headers": content_type | dict(headers or {}), "text": text}
        self.faults.append(Fault("response", times, side, script))

    def clear_faults(self) -> None:
        """Discard every fault and scripted response that has not happened yet."""
        self.faults.clear()

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (see Settings) and return all of them."""
        self.current = self.current.changed(**changes)
        return asdict(self.current)

    def stats(self, records: bool = True) -> Stats:
        """The requests since the start or the last reset; without `records`, only the figures."""
        requests = {side: sum(record.side == side for record in self.records) for side in ("crm", "accounts")}
        return Stats(requests, self.issuer.minted, list(self.records) if records else [])

    def issue_token(self, scope: str = DEFAULT_SCOPE, life_seconds: float = 3600) -> str:
        """Issue a valid access token outside of every limit."""
        return self.issuer.issue(scope, self.clock.now() + life_seconds).value

    def revoke(self, token: str) -> bool:
        """Revoke an access token. Returns False if there is no such token."""
        if found := self.issuer.tokens.get(token):
            found.revoked = True
        return found is not None

    def add_client(self, *client: str, **more: str) -> None:
        """Register a client; see `Client`."""
        self.issuer.clients.append(Client(*client, **more))

    def expect_login(self, *answers: Any, interval: float = 5, life: float = 300) -> None:
        """Say how the next login goes: the answers to its polls (errors, or whole bodies). Then it is accepted."""
        self.logins = Logins(list(answers), interval, life)

    def login_code(self) -> str:
        """Generate the one-time code of a self client."""
        return self.logins.code(self.clock.now())

    def take_fault(self, side: Side) -> Fault | None:
        """The fault for a request to this side, which then has happened once."""
        fault = next((each for each in self.faults if each.side in (None, side)), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
        return fault


OPERATIONS = [name for name in vars(ZohoControl) if not name.startswith("_") and callable(getattr(ZohoControl, name))]


def operate(control: ZohoControl, operation: str, body: bytes) -> tuple[int, Any]:
    """An operation of the control endpoint, its arguments in a JSON object: the HTTP status, and the result."""
    if operation not in OPERATIONS:
        return 404, {"error": f"the operations are {', '.join(sorted(OPERATIONS))}"}
    try:
        arguments = json.loads(body) if body else {}
        result = getattr(control, operation)(**arguments)
        return 200, asdict(result) if isinstance(result, Stats) else result
    except (TypeError, ValueError, AttributeError) as error:
        return 400, {"error": str(error)}
