"""What the simulator remembers of the requests it got. Shared by the server and the control client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class RequestRecord:
    """One request of the function or of another client; requests to the control endpoint are not recorded."""

    number: int
    at: float
    """Simulated time, seconds since the epoch."""
    side: str
    """crm or accounts"""
    connection: int
    """Connections are numbered from 1 in the order in which they were accepted."""
    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case; of a repeated header, the last one."""
    body: str
    scheme: str
    """The Authorization header's first word."""
    token: str
    """The rest of the Authorization header."""
    status: int | None = None
    """What was answered; None where a fault left no status to speak of."""
    fault: str | None = None
    """The kind of fault that this request met."""


@dataclass
class Stats:
    """Everything since the start or the last reset."""

    requests: dict[str, int]
    """How many on each side: {"crm": 3, "accounts": 1}"""
    connections: int
    """Connections accepted, those of control clients not counted."""
    tokens_minted: int
    tokens_live: int
    tokens_throttled: int
    credits_used: int
    jobs: int
    records: list[RequestRecord]

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Stats:
        records = [RequestRecord(**record) for record in content.pop("records")]
        return cls(records=records, **content)

    def requests_to(self, side: str) -> list[RequestRecord]:
        """The records of one side."""
        return [record for record in self.records if record.side == side]
