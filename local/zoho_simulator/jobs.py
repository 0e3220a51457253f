"""Mass change owner jobs: the state of a job is a pure function of its age."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAXIMUM_RECORDS = 50_000
"""Zoho's limit of records in one job."""

FIRST_JOB_ID = 3652397000009565021
"""The ID in the documentation's sample; later jobs count up from it."""


def _stall(share: float) -> float:
    """Half of the records in the first 30 % of the time, none until 70 %, then the rest."""
    if share < 0.3:
        return share / 0.6
    return 0.5 if share < 0.7 else 0.5 + (share - 0.7) / 0.6


# From the elapsed share of the running time (0 to 1) to the share of records processed.
SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "decelerating": lambda share: 1 - (1 - share) ** 2,
    "stall": _stall,
    "fails-half-way": lambda share: min(share, 0.5),
}


@dataclass(frozen=True)
class Job:
    """One job. `failed` of its records fail, spread evenly over the run."""

    job_id: str
    module: str
    created_at: float
    total: int = MAXIMUM_RECORDS
    queue_seconds: float = 0
    run_seconds: float = 60
    shape: str = "linear"
    failed: int = 0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"shape must be one of {', '.join(SHAPES)}")
        if not 0 <= self.total <= MAXIMUM_RECORDS:
            raise ValueError(f"total must be from 0 to {MAXIMUM_RECORDS}")
        if not 0 <= self.failed <= self.total:
            raise ValueError("failed must be a part of total")
        if self.queue_seconds < 0 or self.run_seconds < 0:
            raise ValueError("queue_seconds and run_seconds must be 0 or more")

    def status(self, now: float) -> dict[str, Any]:
        """What the status endpoint reports at `now`."""
        running_for = now - self.created_at - self.queue_seconds
        share = min(1.0, running_for / self.run_seconds) if self.run_seconds else 1.0
        name = "RUNNING"
        if running_for < 0:
            name, share = "SCHEDULED", 0.0
        elif self.shape == "fails-half-way" and share >= 0.5:
            name = "FAILED"
        elif share >= 1:
            name = "COMPLETED"
        done = SHAPES[self.shape](share)
        handled, failed = math.floor(self.total * done), math.floor(self.failed * done)
        return {
            "Total_Count": self.total,
            "Updated_Count": handled - failed,
            "Not_Updated_Count": self.total - handled,
            "Failed_Count": failed,
            "Status": name,
        }
