"""Writes docs/fault-matrix.md: `python -m tests.faults.document`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.matrix import MATRIX, RECOVERED, STARTS, TIMES, Row, cells

PATH = Path(__file__).resolve().parents[2] / "docs/fault-matrix.md"

HEADER = """# Fault matrix

What happens at the end of a watch if the requests to one dependency fail. This page is generated from
`tests/faults/matrix.py` (`make fault-matrix`). The tests in `tests/faults` run each cell with the packaged binary: a
schedule invokes the function for a job that has finished, and the requests to one dependency fail *once*, *twice*, or
*always* during that invocation. Each cell runs in a new execution environment, and in a warm one whose watch has had
good responses before. There are {all} cells; the gate runs {gate} of them, and `make faults` runs all.

In **every** cell, the tests also check that

* the function responds at least 500 ms before its deadline;
* once the requests succeed again, the watch ends within three invocations: its end is published at least once, every
  time with the same `event_id`, and its schedule is deleted (failed token requests start a cooldown, so the tests store
  the credentials again, which ends it);
* no access token, no part of the secret, and no AWS credential is in a response, in a message, or in the log at its
  most detailed level.

*recovered* means that this invocation publishes the end and deletes the schedule. An error that is not retryable ends
the watch: its `WATCH_FAILED` report is what is published. If the result in the warm environment differs, it follows
after a comma.

Faults of TLS (certificates, versions, handshakes) are in `tests/e2e/test_tls.py`, ten for each of five services. All
are an outage of that service, and no request is sent.
"""


def text() -> str:
    """The page."""
    every = list(cells())
    parts = [HEADER.format(all=f"{len(every):,}", gate=sum(cell.is_in_the_gate for cell in every))]
    for dependency, rows in MATRIX.items():
        parts.append(f"\n## {dependency}\n\n| fault | {' | '.join(TIMES)} |\n|{'---|' * 4}\n")
        for row in rows:
            for fault in row.faults:
                parts.append(f"| {fault.name} | {' | '.join(_results(row, times) for times in TIMES)} |\n")
    return "".join(parts)


def _results(row: Row, times: str) -> str:
    """The results of a cold and a warm start."""
    results = dict.fromkeys(row.expected(times, start) for start in STARTS)
    return ", ".join(result if result == RECOVERED else f"`{result}`" for result in results)


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
