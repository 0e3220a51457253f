"""The record of the requests that the simulator received. Shared by the server and the control client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class RequestRecord:
    """One request of the function or another client. Requests to the control endpoint are not recorded."""

    number: int
    at: float
    """The simulated time in seconds since the epoch."""
    side: str
    """crm or accounts"""
    connection: int
    """Connections are numbered from 1 in the order in which they were accepted."""
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
    """The HTTP status of the response; None if a fault replaced the response."""
    fault: str | None = None
    """The kind of fault that this request got."""


@dataclass
class Stats:
    """Everything since the start or the last reset."""

    requests: dict[str, int]
    """The number of requests to each side: {"crm": 3, "accounts": 1}"""
    connections: int
    """Accepted connections, without those of control clients."""
    tokens_minted: int
    tokens_valid: int
    tokens_throttled: int
    credits_used: int
    jobs: int
    records: list[RequestRecord]

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Stats:
        records = [RequestRecord(**record) for record in content.pop("records")]
        return cls(records=records, **content)

    def requests_to(self, side: str) -> list[RequestRecord]:
        """The records of the requests to one side."""
        return [record for record in self.records if record.side == side]
