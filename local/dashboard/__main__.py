"""`python -m local.dashboard`: writes docs/dashboard.svg from a run of about a minute."""

from __future__ import annotations

import argparse
from pathlib import Path

from local.dashboard import picture, scenario
from local.dashboard.widgets import evaluate

PICTURE = Path(__file__).resolve().parents[2] / "docs/dashboard.svg"
NOTE = (
    f"From {scenario.END_SECONDS} seconds of a run on the local stack. The time axis is compressed: each second is"
    " drawn as one minute. Latencies, lateness, and waits are as measured in the run."
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.dashboard", description=__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE, help="the file to write (docs/dashboard.svg)")
    output = parser.parse_args().output
    dashboard, observed = scenario.run()
    widgets = [(widget, evaluate(widget, observed)) for widget in dashboard["widgets"]]
    output.write_text(picture.svg(widgets, observed.metrics.until, NOTE), encoding="utf-8")
    print(f"{output}: {len(widgets)} widgets")


if __name__ == "__main__":
    main()
