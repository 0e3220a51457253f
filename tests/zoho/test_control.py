"""Scripted responses, and the simulator as a standalone program. tests/e2e uses every fault and the records."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import urllib3

from local import zoho_simulator
from local.wire import FAULTS
from local.zoho_simulator import Settings, ZohoControl

from .conftest import Http


def test_faults_happen_in_order_and_on_their_side_only(control: ZohoControl, http_client: Http) -> None:
    control.respond(503, side="accounts")
    control.respond(502, {"X-Own": "1"}, {"code": None}, times=2)
    scripted = http_client.status_of("1")
    assert (scripted.status, scripted.headers["X-Own"], scripted.json()) == (502, "1", {"code": None})
    assert [http_client.status_of("1").status for _ in range(2)] == [502, 204]
    assert [http_client.token_request().status for _ in range(2)] == [503, 200]
    assert control.stats().tokens_minted == 1, "a scripted response processes nothing"
    control.fault("reset", times=9)
    control.clear_faults()
    assert http_client.status_of("1").status == 204


def test_the_standalone_program() -> None:
    command = [sys.executable, "-m", "local.zoho_simulator", "--port", "0", "--set", '{"concurrency": 3}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        url = re.search(r"http://127\.0\.0\.1:\d+", program.stdout.readline())[0] + "/_control/"
        assert urllib3.request("POST", url + "settings").json()["concurrency"] == 3
        assert len(urllib3.request("POST", url + "start_job", body='{"total": 1}').json()) == 19
        assert urllib3.request("GET", url + "stats").json()["tokens_minted"] == 0
        assert "operations are" in urllib3.request("GET", url + "explode").json()["error"]
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0


def test_the_readme_lists_every_setting_and_fault() -> None:
    text = (Path(zoho_simulator.__file__).parent / "README.md").read_text()
    names = {*FAULTS, *(field.name for field in fields(Settings))}
    assert {name for name in names if f"`{name}`" not in text} == set()
