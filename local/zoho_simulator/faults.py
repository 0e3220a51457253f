"""The faults of the simulator: those of any HTTP server, and those that look like Zoho.

Planning a fault is pure: `server` executes the steps and knows nothing about faults.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from local.wire.faults import DELIVERING, REPLACING
from local.wire.message import JSON_TYPE, Response
from local.wire.steps import Close, Send, Step

from .crm import CrmError, too_many_requests

# ---- faults ----------------------------------------------------------------------------------------

Side = Literal["crm", "accounts"]

_NO_DATA = b'{"code":"NO_DATA","details":{},"message":"no data found","status":"error"}'


@dataclass
class Fault:
    """One kind of misbehavior, for the next `times` requests to `side` (None: either side)."""

    kind: str
    times: int = 1
    side: Side | None = None
    params: dict[str, Any] = field(default_factory=dict)
    _steps: list[Step] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"kind must be one of {', '.join(sorted(FAULT_KINDS))}")
        if self.times < 1:
            raise ValueError("times must be 1 or more")
        if self.side not in (None, "crm", "accounts"):
            raise ValueError("side must be crm or accounts")
        if self.kind in CONNECTION_FAULTS:
            if self.params or self.side:
                raise ValueError(f"{self.kind} takes no parameters")
        elif self.kind in _REPLACING:
            self._steps = list(_REPLACING[self.kind](**self.params))
        else:
            # Planned for a dummy response, so that a wrong parameter is rejected here instead of at the next request.
            self.steps(Response.json(200, {}))

    @property
    def replaces(self) -> bool:
        """Whether the request is not processed: no job is started, no token is minted."""
        return self.kind in _REPLACING

    def steps(self, response: Response) -> list[Step]:
        """What to do instead of sending this response."""
        if self.replaces:
            return self._steps
        return list(DELIVERING[self.kind](response, **self.params))


def no_fault(response: Response) -> list[Step]:
    """Send the response as it is."""
    return [Send(response.encode())]


# Faults that replace the response: the request has not been processed.


def _server_error(status: int = 500, code: str = "INTERNAL_ERROR", json: bool = True) -> Iterator[Step]:
    if not json:
        return REPLACING["html"](status)
    message = "Internal server error occurred."
    return iter(no_fault(CrmError(status, code, message).response("plain")))


def _rate_limit(retry_after: int | None = None, status: int = 429) -> Iterator[Step]:
    response = too_many_requests(retry_after).response("plain")
    yield Send(Response(status, response.body, response.headers).encode())


def _body_after_204(length: bool = True) -> Iterator[Step]:
    """A 204 with a body after it, with or without a Content-Length."""
    response = Response(204, _NO_DATA, (("Content-Type", JSON_TYPE),))
    yield Send(response.head(len(_NO_DATA) if length else None) + _NO_DATA)


def _response(
    status: int = 200, headers: dict[str, str] | None = None, body: str = "", raw: str | None = None
) -> Iterator[Step]:
    """A scripted response; `raw` (base64) is sent byte for byte, and then the connection is closed."""
    if raw is not None:
        yield from (Send(base64.b64decode(raw)), Close())
        return
    given = tuple((headers or {}).items())
    if not any(name.lower() == "content-type" for name, _ in given):
        given = (("Content-Type", JSON_TYPE), *given)
    yield Send(Response(status, body.encode(), given).encode())


_REPLACING: dict[str, Callable[..., Iterator[Step]]] = {
    **REPLACING,
    "server-error": _server_error,
    "rate-limit": _rate_limit,
    "body-after-204": _body_after_204,
    "response": _response,
}

CONNECTION_FAULTS = frozenset({"close-on-accept", "reset-on-accept", "stall-on-accept", "wrong-certificate"})
"""Faults of the next new connections, before a byte is read from them."""

FAULT_KINDS = CONNECTION_FAULTS.union(DELIVERING, _REPLACING)

# ---- which request gets which fault ----------------------------------------------------------------


@dataclass
class RandomFaults:
    """A share of all requests fails; the same seed selects the same requests."""

    rate: float
    seed: int
    kinds: list[str]
    side: Side | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or not self.kinds:
            raise ValueError("rate must be from 0 to 1, and kinds must not be empty")
        self._faults = [Fault(kind, side=self.side) for kind in self.kinds]
        if CONNECTION_FAULTS.intersection(self.kinds):
            raise ValueError("random faults must be faults of requests, not of connections")
        self._dice = random.Random(self.seed)

    def draw(self, side: Side) -> Fault | None:
        if self.side not in (None, side) or self._dice.random() >= self.rate:
            return None
        return self._dice.choice(self._faults)


@dataclass
class FaultPlan:
    """The requested faults, in order, and then the random ones."""

    queue: list[Fault] = field(default_factory=list)
    at_random: RandomFaults | None = None

    def add(self, fault: Fault) -> None:
        self.queue.append(fault)

    def for_request(self, side: Side) -> Fault | None:
        """Take the fault for the next request to this side."""
        fault = self._take(lambda each: each.kind not in CONNECTION_FAULTS and each.side in (None, side))
        if fault is None and self.at_random is not None:
            fault = self.at_random.draw(side)
        return fault

    def for_connection(self) -> Fault | None:
        """Take the fault for the next new connection."""
        return self._take(lambda each: each.kind in CONNECTION_FAULTS)

    def _take(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        fault = next(filter(wanted, self.queue), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.queue.remove(fault)
        return fault
