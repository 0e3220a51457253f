"""Compare the release binary with its peers, alternating them on one machine: `make bench`.

Cold is from the start of the process to the first response, warm from an event to its response; both are medians, and
everything else is local. Ratios carry over to Lambda, milliseconds do not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from local.stack import RELEASE_BINARY, Function, Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.process import MIB, Usage

PEERS = Path(__file__).resolve().parents[1] / "target/release"
WARM_INVOCATIONS = 50


def measure(function: Function, request: dict) -> tuple[float, float, float]:
    """One process: seconds until its first response, the median of the later ones, and MiB at the end."""

    def invoke() -> float:
        start = time.perf_counter()
        invocation = function.invoke(request)
        assert invocation.ok, invocation.error_message
        return time.perf_counter() - start

    cold = invoke()
    warm = statistics.median(invoke() for _ in range(WARM_INVOCATIONS))
    environment = function.environments[-1]
    memory = Usage.of(environment.pid).resident / MIB
    environment.kill()
    return cold, warm, memory


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=40, help="processes of each binary")
    arguments.add_argument("--other", type=Path, help="another build of the function, such as the previous release")
    options = arguments.parse_args()
    binaries = {"floor": PEERS / "floor", "function": RELEASE_BINARY, "obvious": PEERS / "obvious"}
    if options.other:
        binaries["other build"] = options.other
    with Stack() as stack:
        zoho = stack.zoho.control
        request = {"module": "Leads", "job_id": zoho.start_job(run_seconds=1e9, total=50_000)}
        # The obvious version reads a token; the function, as it is deployed, has the credentials of a client.
        token = stack.secret({"access_token": zoho.issue_token(life_seconds=1e9)})
        credentials = stack.secret(REFRESH_TOKEN_SECRET)
        hosts = {"ZOHO_API_DOMAIN": stack.zoho.url, "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url}
        functions = {
            name: stack.function(
                name.replace(" ", "-"),
                {**hosts, "ZOHO_SECRET_ID": token if name == "obvious" else credentials},
                path,
            )
            for name, path in binaries.items()
        }
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in functions}
        for _ in range(options.rounds):
            for name, function in functions.items():
                results[name].append(measure(function, request))
    floor = statistics.median(cold for cold, *_ in results["floor"])
    sys.stdout.write(f"{'':12} cold ms  x floor  warm ms     MiB  size MB\n")
    for name, rows in results.items():
        cold, warm, memory = (statistics.median(column) for column in zip(*rows, strict=True))
        size = binaries[name].stat().st_size / 1e6
        sys.stdout.write(
            f"{name:12} {cold * 1e3:7.2f} {cold / floor:8.2f} {warm * 1e3:8.3f} {memory:7.1f} {size:8.2f}\n"
        )


if __name__ == "__main__":
    main()
