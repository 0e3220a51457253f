"""The fault matrix: every cell is a watch whose requests fail in the way that the cell describes.

The gate runs some of them, and `make faults` runs all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from local.stack import Stack
from tests.faults import document
from tests.faults.matrix import Cell, cells
from tests.faults.run import Observation, run, warm_up

# Nearly all of the time is waiting for timeouts.
PARALLEL_CELLS = 8
ATTEMPTS = 3

ALL = "ALL_FAULTS" in os.environ
CELLS = [cell for cell in cells() if ALL or cell.is_in_the_gate]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[dict[Cell, Future[Observation]]]:
    """Run all selected cells in parallel."""
    selected = [
        item.callspec.params["cell"] for item in request.session.items if "cell" in getattr(item, "fixturenames", ())
    ]
    with Stack() as stack:
        group = warm_up(stack)
        with ThreadPoolExecutor(PARALLEL_CELLS) as pool:
            yield {cell: pool.submit(observe, stack, group, cell) for cell in selected}
            pool.shutdown(cancel_futures=True)


def observe(stack: Stack, group: str, cell: Cell) -> Observation:
    """Run a cell, and again if it did not go as expected: a pause of the machine can look like a fault."""
    for _ in range(ATTEMPTS):
        observation = run(stack, group, cell)
        if observation.problems(cell) == []:
            break
    return observation


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_cell(cell: Cell, results: dict[Cell, Future[Observation]]) -> None:
    observation = results[cell].result()
    assert observation.problems(cell) == []


def test_the_document_is_current() -> None:
    assert document.PATH.read_text(encoding="utf-8") == document.text(), "run `make fault-matrix`"
