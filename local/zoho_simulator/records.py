"""What a simulator records of the requests that it received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

Side = Literal["crm", "accounts"]


@dataclass
class RequestRecord:
    """One request of the function or another client. Requests to the control endpoint are not recorded."""

    at: float
    """The simulated time in seconds since the epoch."""
    side: Side
    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lowercase; the last value of a repeated header."""
    body: str
    scheme: str
    """The first word of the Authorization header."""
    token: str
    """The rest of the Authorization header."""
    status: int | None = None
    """The HTTP status of the response."""

    def parameters(self) -> dict[str, str]:
        """The query parameters."""
        return _first_values(self.query)

    def form(self) -> dict[str, str]:
        """The fields of a URL-encoded form body; empty for any other body."""
        is_form = self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        return _first_values(self.body) if is_form else {}


@dataclass
class Stats:
    """Everything since the start or the last reset."""

    requests: dict[str, int]
    """The number of requests to each side: {"crm": 3, "accounts": 1}"""
    tokens_minted: int
    records: list[RequestRecord]

    def requests_to(self, side: str) -> list[RequestRecord]:
        """The records of the requests to one side."""
        return [record for record in self.records if record.side == side]


def _first_values(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
