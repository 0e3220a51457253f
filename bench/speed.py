"""Compare the release binary with its peers, alternating them on one machine: `make bench`.

Cold is from the start of the process to the first response, warm from an event to its response; both are medians, with
everything else local. Ratios carry over to Lambda, milliseconds do not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from local.stack import RELEASE_BINARY, Function, Stack
from tests.e2e.process import MIB, Usage

PEERS = Path(__file__).resolve().parents[1] / "target/release"
SECRET = {"access_token": "1000.c0ffee00c0ffee00c0ffee00c0ffee00.c0ffee00c0ffee00c0ffee00c0ffee00"}
WARM_INVOCATIONS = 50


def measure(function: Function, request: dict) -> tuple[float, float, float, float]:
    """One process: seconds until the first response, median of the later ones, MiB at the end, and ms of processor time."""
    start = time.perf_counter()
    assert (first := function.invoke(request)).ok, first.error_message
    cold = time.perf_counter() - start
    environment = function.environments[-1]
    processor = sum(map(int, Path(f"/proc/{environment.pid}/stat").read_text().split(") ")[1].split()[11:13])) * 10.0
    warm = []
    for _ in range(WARM_INVOCATIONS):
        start = time.perf_counter()
        function.invoke(request)
        warm.append(time.perf_counter() - start)
    memory = Usage.of(environment.pid).resident / MIB
    environment.kill()
    return cold, statistics.median(warm), memory, processor


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=40, help="processes of each binary")
    arguments.add_argument("--other", type=Path, help="another build of the function, such as the previous release")
    options = arguments.parse_args()
    binaries = {"floor": PEERS / "floor", "function": RELEASE_BINARY, "obvious": PEERS / "obvious"}
    if options.other:
        binaries["other build"] = options.other
    with Stack() as stack:
        job_id = stack.zoho.running_job() if hasattr(stack.zoho, "running_job") else "1"
        request = {"module": "Leads", "job_id": job_id}
        variables = {"ZOHO_SECRET_ID": stack.secret(SECRET), "ZOHO_API_DOMAIN": stack.zoho.crm_url}
        functions = {name: stack.function(name.replace(" ", "-"), variables, path) for name, path in binaries.items()}
        results: dict[str, list] = {name: [] for name in functions}
        for _ in range(options.rounds):
            for name, function in functions.items():
                results[name].append(measure(function, request))
    floor = statistics.median(cold for cold, *_ in results["floor"])
    sys.stdout.write(f"{'':12} cold ms  x floor  warm ms     MiB  size MB\n")
    for name, rows in results.items():
        cold, warm, memory, _ = (statistics.median(column) for column in zip(*rows, strict=True))
        size = binaries[name].stat().st_size / 1e6
        sys.stdout.write(
            f"{name:12} {cold * 1e3:7.2f} {cold / floor:8.2f} {warm * 1e3:8.3f} {memory:7.1f} {size:8.2f}\n"
        )


if __name__ == "__main__":
    main()
