"""The ways in which any HTTP server can fail, as lists of steps."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

from .message import JSON_TYPE, Response
from .steps import AwaitReuse, Close, Pause, Reset, Send, SendForever, Step

_MIB = 1 << 20
_HTML = b"<!DOCTYPE html><html><head><title>Zoho</title></head><body><h1>We are down for maintenance</h1></body></html>"

# ---- faults in the delivery of a response: the request has been processed ---------------------------


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


DELIVERING: dict[str, Callable[..., Iterator[Step]]] = {
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

# ---- faults that replace the response: the request has not been processed ----------------------------


def _html(status: int = 200) -> Iterator[Step]:
    yield Send(Response(status, _HTML, (("Content-Type", "text/html;charset=UTF-8"),)).encode())


def _garbage(size: int = 64) -> Iterator[Step]:
    yield from (Send(b"\x16\x03" + random.Random(0).randbytes(size)), Close())


def _redirect(location: str = "/elsewhere", status: int = 302) -> Iterator[Step]:
    yield Send(Response(status, headers=(("Location", location),)).encode())


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


REPLACING: dict[str, Callable[..., Iterator[Step]]] = {
    "html": _html,
    "garbage": _garbage,
    "redirect": _redirect,
    "gzip-bomb": _gzip_bomb,
    "over-long": _over_long,
    "endless": _endless,
}
