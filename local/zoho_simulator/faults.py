"""Every way in which a response can go wrong, as a list of steps for the socket.

Planning a fault is pure: `server` executes the steps and knows nothing about faults.
"""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from .crm import CrmError, too_many_requests
from .message import JSON_TYPE, Response

# ---- steps -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Send:
    """Write these bytes, in one write."""

    data: bytes


@dataclass(frozen=True)
class SendForever:
    """Write these bytes again and again until the client closes the connection."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    """Wait in real time; None waits until the client closes the connection."""

    seconds: float | None = None


@dataclass(frozen=True)
class Close:
    """Close the connection normally (FIN)."""


@dataclass(frozen=True)
class Reset:
    """Close the connection with an RST."""


@dataclass(frozen=True)
class AwaitReuse:
    """Read the next request on this connection without a response."""


Step = Send | SendForever | Pause | Close | Reset | AwaitReuse

# ---- faults ----------------------------------------------------------------------------------------

Side = Literal["crm", "accounts"]

_MIB = 1 << 20
_HTML = b"<!DOCTYPE html><html><head><title>Zoho</title></head><body><h1>We are down for maintenance</h1></body></html>"
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
        return list(_DELIVERING[self.kind](response, **self.params))


def no_fault(response: Response) -> list[Step]:
    """Send the response as it is."""
    return [Send(response.encode())]


# Faults in the delivery of a response: the request has been processed.


def _delay(response: Response, seconds: float = 1) -> Iterator[Step]:
    yield Pause(seconds)
    yield Send(response.encode())


def _stall_in_headers(response: Response, seconds: float | None = None) -> Iterator[Step]:
    data = response.encode()
    cut = len(response.head()) // 2
    yield from (Send(data[:cut]), Pause(seconds), Send(data[cut:]))


def _stall_in_body(response: Response, seconds: float | None = None) -> Iterator[Step]:
    data = response.encode()
    cut = len(response.head()) + len(response.body) // 2
    yield from (Send(data[:cut]), Pause(seconds), Send(data[cut:]))


def _stall(response: Response, seconds: float | None = None) -> Iterator[Step]:
    yield from (Pause(seconds), Send(response.encode()))


def _reset(_: Response) -> Iterator[Step]:
    yield Reset()


def _reset_in_body(response: Response) -> Iterator[Step]:
    # Without the pause, the RST can overtake the bytes before it.
    yield from (Send(response.head() + response.body[: len(response.body) // 2]), Pause(0.02), Reset())


def _close(_: Response) -> Iterator[Step]:
    yield Close()


def _truncate(response: Response) -> Iterator[Step]:
    yield from (Send(response.head() + response.body[: len(response.body) // 2]), Close())


def _wrong_length(response: Response, by: int = -5) -> Iterator[Step]:
    """A negative `by` leaves extra bytes on the connection; a positive one leaves the client waiting for more."""
    yield Send(response.head(max(0, len(response.body) + by)) + response.body)


def _close_idle(response: Response, seconds: float = 0) -> Iterator[Step]:
    yield from (Send(response.encode()), Pause(seconds), Close())


def _close_reused(response: Response) -> Iterator[Step]:
    yield from (Send(response.encode()), AwaitReuse(), Close())


def _reset_reused(response: Response) -> Iterator[Step]:
    yield from (Send(response.encode()), AwaitReuse(), Reset())


_DELIVERING: dict[str, Callable[..., Iterator[Step]]] = {
    "delay": _delay,
    "stall": _stall,
    "stall-in-headers": _stall_in_headers,
    "stall-in-body": _stall_in_body,
    "reset": _reset,
    "reset-in-body": _reset_in_body,
    "close": _close,
    "truncate": _truncate,
    "wrong-length": _wrong_length,
    "close-idle": _close_idle,
    "close-reused": _close_reused,
    "reset-reused": _reset_reused,
}

# Faults that replace the response: the request has not been processed.


def _server_error(status: int = 500, code: str = "INTERNAL_ERROR", json: bool = True) -> Iterator[Step]:
    if not json:
        return _html(status)
    message = "Internal server error occurred."
    return iter(no_fault(CrmError(status, code, message).response("plain")))


def _html(status: int = 200) -> Iterator[Step]:
    yield Send(Response(status, _HTML, (("Content-Type", "text/html;charset=UTF-8"),)).encode())


def _rate_limit(retry_after: int | None = None, status: int = 429) -> Iterator[Step]:
    response = too_many_requests(retry_after).response("plain")
    yield Send(Response(status, response.body, response.headers).encode())


def _garbage(size: int = 64) -> Iterator[Step]:
    yield from (Send(b"\x16\x03" + random.Random(0).randbytes(size)), Close())


def _redirect(location: str = "/elsewhere", status: int = 302) -> Iterator[Step]:
    yield Send(Response(status, headers=(("Location", location),)).encode())


def _body_after_204(length: bool = True) -> Iterator[Step]:
    """A 204 with a body after it, with or without a Content-Length."""
    response = Response(204, _NO_DATA, (("Content-Type", JSON_TYPE),))
    yield Send(response.head(len(_NO_DATA) if length else None) + _NO_DATA)


def _gzip_bomb(size: int = 64 * _MIB) -> Iterator[Step]:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    body = squeeze.compress(b'{"data":[{"Status":"')
    block = b"A" * min(size, _MIB)
    body += b"".join(squeeze.compress(block) for _ in range(max(1, size // _MIB)))
    body += squeeze.compress(b'"}]}') + squeeze.flush()
    headers = (("Content-Type", JSON_TYPE), ("Content-Encoding", "gzip"))
    yield Send(Response(200, body, headers).encode())


def _over_long(size: int = 2 * _MIB, chunked: bool = False) -> Iterator[Step]:
    """Valid JSON, but too much of it; the length of a chunked body is not announced."""
    body = b'{"data":[{"Status":"COMPLETED"}],"info":"' + b"A" * size + b'"}'
    json_type = ("Content-Type", JSON_TYPE)
    if not chunked:
        yield Send(Response(200, body, (json_type,)).encode())
        return
    yield Send(Response(200, headers=(json_type, ("Transfer-Encoding", "chunked"))).head())
    for start in range(0, len(body), 65_536):
        piece = body[start : start + 65_536]
        yield Send(b"%x\r\n%s\r\n" % (len(piece), piece))
    yield Send(b"0\r\n\r\n")


def _endless(where: Literal["body", "headers"] = "body") -> Iterator[Step]:
    """A response whose body or headers never end."""
    if where == "headers":
        yield from (Send(b"HTTP/1.1 200 OK\r\n"), SendForever(b"X-More: " + b"A" * 8_000 + b"\r\n"))
        return
    yield Send(Response(200, headers=(("Content-Type", JSON_TYPE), ("Transfer-Encoding", "chunked"))).head())
    yield Send(b'10\r\n{"data":[{"A":"A\r\n')
    yield SendForever(b"10000\r\n" + b"A" * 65_536 + b"\r\n")


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
    "server-error": _server_error,
    "html": _html,
    "rate-limit": _rate_limit,
    "garbage": _garbage,
    "redirect": _redirect,
    "body-after-204": _body_after_204,
    "gzip-bomb": _gzip_bomb,
    "over-long": _over_long,
    "endless": _endless,
    "response": _response,
}

CONNECTION_FAULTS = frozenset({"close-on-accept", "reset-on-accept", "stall-on-accept", "wrong-certificate"})
"""Faults of the next new connections, before a byte is read from them."""

FAULT_KINDS = CONNECTION_FAULTS.union(_DELIVERING, _REPLACING)

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
