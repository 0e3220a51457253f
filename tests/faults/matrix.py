"""The fault matrix: what happens at the end of a watch if one of its requests fails once, twice, or always.

It is the only place for these expectations: the tests run its cells, and docs/fault-matrix.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TIMES = ("once", "twice", "always")
STARTS = ("cold", "warm")
RECOVERED = "recovered"

ZOHO = ("Zoho API", "Zoho accounts server")


@dataclass(frozen=True)
class Fault:
    """A way to fail: a fault of `local.wire.faults`, or a status with a body or an AWS error code."""

    name: str
    kind: str | None = None
    parameters: tuple[tuple[str, Any], ...] = ()
    status: int = 0
    body: str = ""
    code: str = ""


def _wire(name: str, kind: str, **parameters: Any) -> Fault:
    return Fault(name, kind, tuple(parameters.items()))


# The response is lost, late, or cut.
LOST = (
    _wire("the connection is closed", "close"),
    _wire("the connection is reset", "reset"),
    _wire("the connection is reset in the body", "reset-in-body"),
    _wire("the connection is closed in the body", "truncate"),
    _wire("bytes that are not HTTP", "garbage"),
    _wire("no response", "stall"),
    _wire("the headers stop", "stall-in-headers"),
    _wire("the body stops", "stall-in-body"),
    _wire("Content-Length is too large", "wrong-length", by=5),
)
# A complete response, but not one of this service.
FOREIGN = (
    _wire("Content-Length is too small", "wrong-length", by=-5),
    _wire("200 with a web page", "html"),
    Fault("200 with an empty body", status=200),
    Fault("200 with an empty array", status=200, body="[]"),
    Fault("200 with an empty object", status=200, body="{}"),
    _wire("a redirect", "redirect"),
    _wire("a compressed bomb", "gzip-bomb", size=8 << 20),
    Fault("403 with a web page", status=403, body="<html>Forbidden</html>"),
    Fault("404 with a web page", status=404, body="<html>Not Found</html>"),
)
# More than any response of this service.
TOO_LONG = (
    _wire("2 MiB of JSON", "over-long"),
    _wire("2 MiB of JSON in chunks", "over-long", chunked=True),
    _wire("an endless body", "endless"),
    _wire("endless headers", "endless", where="headers"),
)
# Errors that pass.
FAILING = (
    Fault("500 with a web page", status=500, body="<html>Internal Server Error</html>"),
    Fault("502 with a web page", status=502, body="<html>Bad Gateway</html>"),
    Fault("503 with an empty body", status=503),
    Fault("503 with a web page", status=503, body="<html>Service Unavailable</html>"),
    Fault("504 with a web page", status=504, body="<html>Gateway Timeout</html>"),
)


# AWS errors, by their code.
THROTTLING = (
    Fault("400 ThrottlingException", status=400, code="ThrottlingException"),
    Fault("429 TooManyRequestsException", status=429, code="TooManyRequestsException"),
    Fault("503 SlowDown", status=503, code="SlowDown"),
)
AWS_FAILING = (
    Fault("500 InternalFailure", status=500, code="InternalFailure"),
    Fault("503 ServiceUnavailable", status=503, code="ServiceUnavailable"),
)
EXPIRED = (
    Fault("400 ExpiredTokenException", status=400, code="ExpiredTokenException"),
    Fault("403 RequestExpired", status=403, code="RequestExpired"),
)
DENIED = (Fault("403 AccessDeniedException", status=403, code="AccessDeniedException"),)
MISSING = (Fault("404 ResourceNotFoundException", status=404, code="ResourceNotFoundException"),)
CONFLICT = (Fault("409 ConflictException", status=409, code="ConflictException"),)
# Errors of Zoho's API.
LIMITED = (
    Fault("429 TOO_MANY_REQUESTS", status=429, body='{"code":"TOO_MANY_REQUESTS","message":"m"}'),
    Fault("400 TOO_MANY_REQUESTS", status=400, body='{"code":"TOO_MANY_REQUESTS","message":"m"}'),
    Fault("500 INTERNAL_ERROR", status=500, body='{"code":"INTERNAL_ERROR","message":"m"}'),
)


@dataclass(frozen=True)
class Row:
    """The results if a request fails once, twice, or always; `warm` are those in a warm start, if they differ."""

    faults: tuple[Fault, ...]
    cold: tuple[str, str, str]
    warm: tuple[str, str, str] | None = None

    def expected(self, times: str, start: str) -> str:
        results = self.warm if start == "warm" and self.warm else self.cold
        return results[TIMES.index(times)]


def _retried(faults: tuple[Fault, ...], error: str, warm: str = "") -> Row:
    """Requests that are repeated until they succeed or the invocation ends."""
    return Row(faults, (RECOVERED, RECOVERED, error), (RECOVERED, RECOVERED, warm) if warm else None)


def _final(faults: tuple[Fault, ...], error: str, warm: str = "") -> Row:
    """Responses that are the result of the invocation."""
    return Row(faults, (error, error, error), (warm, warm, warm) if warm else None)


def _named(*names: str) -> tuple[Fault, ...]:
    """Faults by name."""
    every = {fault.name: fault for fault in (*LOST, *FOREIGN, *TOO_LONG, *FAILING, *LIMITED)}
    return tuple(every[name] for name in names)


OTHER_JSON = _named("200 with an empty array", "200 with an empty object")
STALLED = _named("no response", "the headers stop", "the body stops")
FORBIDDEN = _named("403 with a web page")
EMPTY = _named("200 with an empty body")
ENDLESS_HEADERS = _named("endless headers")


def _without(faults: tuple[Fault, ...], *others: tuple[Fault, ...]) -> tuple[Fault, ...]:
    excluded = [fault for group in others for fault in group]
    return tuple(fault for fault in faults if fault not in excluded)


MATRIX: dict[str, tuple[Row, ...]] = {
    "Zoho API": (
        _retried(LOST, "ZohoUnavailable"),
        _retried(FAILING, "ZohoUnavailable"),
        _retried(LIMITED[:2], "ZohoRateLimited"),
        _retried(LIMITED[2:], "ZohoUnavailable"),
        _retried(_without(FOREIGN, OTHER_JSON, FORBIDDEN), "ZohoUnexpectedResponse", "ZohoUnavailable"),
        _final(OTHER_JSON, "ZohoUnexpectedResponse"),
        _final(FORBIDDEN, "PermissionDenied"),
        _final(_without(TOO_LONG, ENDLESS_HEADERS), "ZohoUnexpectedResponse", "ZohoUnavailable"),
        _retried(ENDLESS_HEADERS, "ZohoUnavailable"),
    ),
    "Zoho accounts server": (
        _retried(LOST, "ZohoUnavailable"),
        _retried(FAILING, "ZohoUnavailable"),
        _retried(_without(FOREIGN, OTHER_JSON), "ZohoUnexpectedResponse", "ZohoUnavailable"),
        _final((*OTHER_JSON, *_without(TOO_LONG, ENDLESS_HEADERS)), "ZohoUnexpectedResponse", "ZohoUnavailable"),
        _retried(ENDLESS_HEADERS, "ZohoUnavailable"),
    ),
    "Secrets Manager, GetSecretValue": (
        # A warm environment has the credentials in memory, and uses them unless Secrets Manager throttles.
        _retried((*_without(LOST, STALLED), *FAILING, *AWS_FAILING), "SecretUnavailable", RECOVERED),
        _retried((*_without(FOREIGN, FORBIDDEN), *TOO_LONG, *EXPIRED), "SecretUnavailable", RECOVERED),
        _retried((*STALLED, *THROTTLING), "SecretUnavailable"),
        # In a cold start, the first two reads are those of the initialization.
        Row(
            (*DENIED, *MISSING, *FORBIDDEN),
            cold=(RECOVERED, RECOVERED, "SecretInvalid"),
            warm=("SecretInvalid", "SecretInvalid", "SecretInvalid"),
        ),
    ),
    "Secrets Manager, PutSecretValue": (
        # A token that cannot be shared is used alone, unless Secrets Manager throttles.
        _final((*_without(LOST, STALLED), *FAILING, *FOREIGN, *TOO_LONG), RECOVERED),
        _final((*AWS_FAILING, *EXPIRED, *DENIED), RECOVERED),
        _retried((*STALLED, *THROTTLING), "SecretUnavailable"),
    ),
    "SNS, Publish": (
        _retried((*LOST, *FAILING, *TOO_LONG), "NotificationFailed"),
        _retried((*THROTTLING, *AWS_FAILING, *EXPIRED), "NotificationFailed"),
        _final(_named("Content-Length is too small"), RECOVERED),
        _final((*FOREIGN[1:], *DENIED, *MISSING), "NotificationFailed"),
    ),
    "Scheduler, DeleteSchedule": (
        _retried((*LOST, *FAILING, *TOO_LONG), "ScheduleNotDeleted"),
        _retried((*THROTTLING, *AWS_FAILING, *EXPIRED, *CONFLICT), "ScheduleNotDeleted"),
        _final(_named("Content-Length is too small"), RECOVERED),
        # A 200 with an empty body, or with any JSON, is how Scheduler reports success.
        _final((*_without(FOREIGN[1:], OTHER_JSON, EMPTY), *DENIED), "ScheduleNotDeleted"),
    ),
}


@dataclass(frozen=True)
class Cell:
    """A fault of a dependency, and the expected result of the invocation: recovered, or the name of an error."""

    dependency: str
    fault: Fault
    times: str
    start: str
    expected: str

    @property
    def is_in_the_gate(self) -> bool:
        """Whether the cell is one of those that every run of the tests includes."""
        if self.start == "cold":
            return self.times == "always"
        return self.times == "once" and self.fault in (*LOST, *FAILING)

    @property
    def name(self) -> str:
        return f"{self.dependency}: {self.fault.name}, {self.times}, {self.start}"


def cells() -> Iterator[Cell]:
    """All cells of the matrix."""
    for dependency, rows in MATRIX.items():
        for row in rows:
            for fault in row.faults:
                for times in TIMES:
                    for start in STARTS:
                        yield Cell(dependency, fault, times, start, row.expected(times, start))
