"""The state of a job is a pure function of its age."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from local.zoho_simulator.jobs import Job, Shape


def job(**plan: object) -> Job:
    return Job(job_id="1", module="Leads", created_at=1000, **{"total": 1000, "run_seconds": 100, **plan})


@pytest.mark.parametrize(
    ("shape", "updated_at_20_50_80_percent"),
    [
        ("linear", (200, 500, 800)),
        ("accelerating", (40, 250, 640)),
        ("decelerating", (360, 750, 960)),
        ("steps", (200, 400, 800)),
        ("stall", (333, 500, 666)),
    ],
)
def test_shapes(shape: Shape, updated_at_20_50_80_percent: tuple[int, int, int]) -> None:
    progress = [job(shape=shape).progress(1000 + age) for age in (20, 50, 80)]
    assert [each.status for each in progress] == ["RUNNING"] * 3
    # Floating-point rounding can make a count one too low.
    assert [each.updated for each in progress] == pytest.approx(updated_at_20_50_80_percent, abs=1)


@pytest.mark.parametrize("shape", get_args(Shape))
def test_counts_add_up_and_never_decrease(shape: Shape) -> None:
    watched = job(shape=shape, failed=70, left_over=30, queue_seconds=10)
    progress = [watched.progress(1000 + age) for age in range(120)]
    for each in progress:
        assert each.updated + each.failed + each.not_updated == each.total == 1000
        assert min(each.updated, each.failed, each.not_updated) >= 0
    for earlier, later in itertools.pairwise(progress):
        assert later.updated >= earlier.updated
        assert later.failed >= earlier.failed


def test_is_scheduled_then_running_then_completed() -> None:
    watched = job(queue_seconds=10, failed=5)
    at = [watched.progress(1000 + age) for age in (0, 9.9, 10, 109.9, 110, 10_000)]
    assert [each.status for each in at] == ["SCHEDULED"] * 2 + ["RUNNING"] * 2 + ["COMPLETED"] * 2
    assert (at[-1].updated, at[-1].failed, at[-1].not_updated) == (995, 5, 0)


def test_a_job_can_fail_halfway() -> None:
    watched = job(shape="fails-half-way", failed=100)
    assert watched.progress(1049).status == "RUNNING"
    end = watched.progress(1050)
    assert (end.status, end.updated, end.failed, end.not_updated) == ("FAILED", 450, 50, 500)
    assert watched.progress(9999) == end


def test_a_job_without_run_time_is_completed_at_once() -> None:
    assert job(run_seconds=0).progress(1000).status == "COMPLETED"


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"total": 50_001}, "from 0 to 50000"),
        ({"total": -1}, "from 0 to 50000"),
        ({"failed": 600, "left_over": 401}, "parts of total"),
        ({"failed": -1}, "parts of total"),
        ({"shape": "zigzag"}, "shape must be one of"),
        ({"run_seconds": -1}, "0 or more"),
    ],
)
def test_rejects_a_plan_that_is_invalid(plan: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job(**plan)
