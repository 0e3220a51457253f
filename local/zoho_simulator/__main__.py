"""python -m local.zoho_simulator: the simulator as a standalone program."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from typing import Any

from .server_thread import Zoho


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.zoho_simulator", description="Simulates Zoho CRM and Zoho accounts."
    )
    parser.add_argument("--port", type=int, default=8600, help="0 for any free port (default: 8600)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tls", metavar="DIR", help="serve HTTPS; the CA to trust is written to DIR/ca.pem")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per real second (default: 1)")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        type=_setting,
        action="append",
        default=[],
        help="a setting with its value as JSON, for example --set concurrency=5 or --set 'custom_modules=[\"Cars\"]'",
    )
    arguments = parser.parse_args()
    try:
        zoho = Zoho(arguments.tls or False, arguments.port, arguments.host, arguments.speed, **dict(arguments.set))
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    # Blocked before the server thread starts, so that sigwait receives them.
    stop_signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    with zoho:
        print(f"Zoho simulator on {zoho.url}" + (f", CA in {zoho.ca_file}" if zoho.ca_file else ""), flush=True)
        signal.sigwait(stop_signals)
    return 0


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
