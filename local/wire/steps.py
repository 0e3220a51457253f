"""What a faulty server does on a connection, step by step."""

from __future__ import annotations

import struct
from dataclasses import dataclass


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

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing a socket sends an RST instead of a FIN."""
