"""The state of a job is a pure function of its age."""

from __future__ import annotations

import itertools

import pytest

from local.zoho_simulator.jobs import SHAPES, Job


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
def test_shapes(shape: str, updated_at_20_50_80_percent: tuple[int, int, int]) -> None:
    seen = [job(shape=shape).status(1000 + age) for age in (20, 50, 80)]
    assert [each["Status"] for each in seen] == ["RUNNING"] * 3
    # Floating-point rounding can make a count one too low.
    assert [each["Updated_Count"] for each in seen] == pytest.approx(updated_at_20_50_80_percent, abs=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_counts_add_up_and_never_decrease(shape: str) -> None:
    watched = job(shape=shape, failed=70, left_over=30, queue_seconds=10)
    seen = [watched.status(1000 + age) for age in range(120)]
    for each in seen:
        counts = [each[name] for name in ("Updated_Count", "Failed_Count", "Not_Updated_Count")]
        assert sum(counts) == each["Total_Count"] == 1000
        assert min(counts) >= 0
    for earlier, later in itertools.pairwise(seen):
        assert later["Updated_Count"] >= earlier["Updated_Count"]
        assert later["Failed_Count"] >= earlier["Failed_Count"]
    assert {each["Status"] for each in seen[:10]} == {"SCHEDULED"}
    assert seen[-1]["Status"] == ("FAILED" if shape == "fails-half-way" else "COMPLETED")


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"total": 50_001}, "from 0 to 50000"),
        ({"failed": 600, "left_over": 401}, "parts of total"),
        ({"shape": "zigzag"}, "shape must be one of"),
        ({"run_seconds": -1}, "0 or more"),
    ],
)
def test_rejects_a_plan_that_is_invalid(plan: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job(**plan)
