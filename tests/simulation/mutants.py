"""Breaks one rule of the function at a time, and shows that the simulation notices (docs/simulation.md).

Each mutant replaces a piece of the source in a copy of the tree. `python3 tests/simulation/mutants.py [name ...]`
prints which rule of the simulation caught it, and fails if one survives.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "simulation-mutants"
WATCHES = "6000"

FETCH = "client::fetch_status(&self.http, &request, attempts).await.map_err(|error| error.error)"

# Name, file, the piece as it is, and the piece as it is broken.
MUTANTS = [
    (
        "delete before publish",
        "src/delivery.rs",
        "        if delivery.notify {\n            // The connection",
        "        if let Some(schedule) = &delivery.schedule {\n"
        "            self.destinations.delete_schedule(schedule).await?;\n        }\n"
        "        if delivery.notify {\n            // The connection",
    ),
    (
        "no limit",
        "src/watch/report.rs",
        "watched >= self.watch_limit_seconds",
        "watched >= self.watch_limit_seconds && false",
    ),
    (
        "event ID without the start",
        "src/watch/event_id.rs",
        'event_id.push_str(&format!("-{part}"));',
        "let _ = part;",
    ),
    (
        "an outage is permanent",
        "src/error.rs",
        "                | Self::ZohoUnavailable\n",
        "",
    ),
    (
        "leases are ignored",
        "src/token/plan.rs",
        "        Acquired::Held(left) => {\n            let timeout",
        "        Acquired::Held(left) if !left.is_zero() => Next::Mint(Timer::start(now, left)),\n"
        "        Acquired::Held(left) => {\n            let timeout",
    ),
    (
        "every 401 gets another token",
        "src/checker.rs",
        f"        let second = {FETCH};\n",
        f"        let mut second = {FETCH};\n"
        "        for _ in 0..9 {\n"
        "            if !second.as_ref().is_err_and(|error| error.kind() == ErrorType::TokenRejected) {\n"
        "                break;\n            }\n"
        f"            second = {FETCH};\n"
        "        }\n",
    ),
    (
        "waits without bounds",
        "src/watch/pacing.rs",
        "wait.max(1).min(bounds.max_seconds).max(bounds.min_seconds)",
        "wait.max(1).max(bounds.min_seconds)",
    ),
    ("FAILED is not final", "src/watch/job.rs", 'self.is_completed() || self.0 == "FAILED"', "self.is_completed()"),
    (
        "deadlines are ignored",
        "src/deadline.rs",
        "tokio::time::timeout_at(self.0, future).await.ok()",
        "Some(future.await)",
    ),
    (
        "permanent errors are retried",
        "src/zoho/response.rs",
        "            _ => Retry::No,\n        }\n    }\n",
        "            _ => Retry::Backoff,\n        }\n    }\n",
    ),
    (
        "leftovers count as success",
        "src/watch/job.rs",
        "(true, true) if leftover =>",
        "(true, true) if leftover && false =>",
    ),
    (
        "a schedule ends with its first check",
        "src/delivery.rs",
        "self.settings) else {\n            return Ok(report);\n        };",
        "self.settings) else {\n"
        "            if let Some(schedule) = &delivery.schedule {\n"
        "                self.destinations.delete_schedule(schedule).await?;\n            }\n"
        "            return Ok(report);\n        };",
    ),
]


def cargo(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"CARGO_TARGET_DIR": str(ROOT / "target"), "RUST_BACKTRACE": "0"} | variables
    command = ["cargo", "test", "--quiet", "--locked", "--test", "simulation", *arguments]
    return subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, check=False)


def rule(output: str) -> str:
    """What the simulation found first, without its numbers and reports."""
    found = re.search(r"^SEED=.*\n {2}(\S.*)", output, re.MULTILINE)
    assert found, output
    return re.sub(r"\d+", "#", found[1])[:110]


def main() -> int:
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT, COPY, ignore=shutil.ignore_patterns("target", ".*"))
    survivors = 0
    for name, file, old, new in MUTANTS:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        original = (ROOT / file).read_text()
        (COPY / file).write_text(original.replace(old, new))
        built = cargo("--no-run")
        if built.returncode:
            sys.exit(f"{name}: does not compile\n{built.stderr}")
        run = cargo("--", "--nocapture", WATCHES=WATCHES)
        (COPY / file).write_text(original)
        survivors += run.returncode == 0
        print(f"{name}: {rule(run.stdout + run.stderr) if run.returncode else 'SURVIVES'}", flush=True)
    return survivors


if __name__ == "__main__":
    sys.exit(main())
