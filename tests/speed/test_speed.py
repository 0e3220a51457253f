"""The speed comparison builds, every program in it answers, and requests and connections are as promised. No times."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_comparison_runs_and_its_counts_are_as_promised():
    run = subprocess.run(["make", "bench-check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "requests and connections are as promised" in run.stdout
