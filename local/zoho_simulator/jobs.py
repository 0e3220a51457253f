"""Mass change owner jobs: the state of a job is a pure function of its age."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

MAXIMUM_RECORDS = 50_000
"""Zoho's limit of records in one job."""

FIRST_JOB_ID = 3652397000009565021
"""The ID in the documentation's sample; later jobs count up from it."""

Shape = Literal["linear", "accelerating", "decelerating", "steps", "stall", "fails-half-way"]

_STEPS = 5


def _stall(share: float) -> float:
    """Half of the records in the first 30 % of the time, none until 70 %, then the rest."""
    if share < 0.3:
        return share / 0.6
    return 0.5 if share < 0.7 else 0.5 + (share - 0.7) / 0.6


# From the elapsed share of the running time (0 to 1) to the share of records processed.
_CURVES: dict[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "accelerating": lambda share: share**2,
    "decelerating": lambda share: 1 - (1 - share) ** 2,
    "steps": lambda share: math.floor(share * _STEPS) / _STEPS,
    "stall": _stall,
    "fails-half-way": lambda share: share,
}


@dataclass(frozen=True)
class Progress:
    """The state of a job at one moment."""

    status: Literal["SCHEDULED", "RUNNING", "COMPLETED", "FAILED"]
    total: int
    updated: int
    failed: int

    @property
    def not_updated(self) -> int:
        return self.total - self.updated - self.failed


@dataclass(frozen=True)
class Job:
    """One job. `failed` of its records fail, spread evenly over the run; `left_over` records are never processed.

    Without `shows_progress`, the status endpoint reports it as SCHEDULED and without counts until it has ended.
    """

    job_id: str
    module: str
    created_at: float
    total: int = MAXIMUM_RECORDS
    queue_seconds: float = 0
    run_seconds: float = 60
    shape: Shape = "linear"
    failed: int = 0
    left_over: int = 0
    shows_progress: bool = True

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise ValueError(f"shape must be one of {', '.join(get_args(Shape))}")
        if not 0 <= self.total <= MAXIMUM_RECORDS:
            raise ValueError(f"total must be from 0 to {MAXIMUM_RECORDS}")
        if self.failed < 0 or self.left_over < 0 or self.failed + self.left_over > self.total:
            raise ValueError("failed and left_over must be parts of total")
        if self.queue_seconds < 0 or self.run_seconds < 0:
            raise ValueError("queue_seconds and run_seconds must be 0 or more")

    def progress(self, now: float) -> Progress:
        """The state of the job at `now`."""
        running_for = now - self.created_at - self.queue_seconds
        if running_for < 0:
            return Progress("SCHEDULED", self.total, 0, 0)
        share = min(1.0, running_for / self.run_seconds) if self.run_seconds else 1.0
        if self.shape == "fails-half-way" and share >= 0.5:
            return self._counted("FAILED", 0.5)
        if share < 1:
            return self._counted("RUNNING", _CURVES[self.shape](share))
        return self._counted("COMPLETED", 1.0)

    def _counted(self, status: Literal["RUNNING", "COMPLETED", "FAILED"], done: float) -> Progress:
        handled = math.floor((self.total - self.left_over) * done)
        failed = math.floor(self.failed * done)
        return Progress(status, self.total, handled - failed, failed)
