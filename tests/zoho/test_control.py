"""Faults, scripted responses, records, and the simulator as a standalone program."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import urllib3

from local import zoho_simulator
from local.wire import FAULTS
from local.zoho_simulator import Settings, ZohoControl

from .conftest import Http

SEEN = {
    "stall": "Read timed out",
    "stall-in-body": "Read timed out",
    "reset": "Connection reset by peer",
    "close": "Remote end closed connection without response",
    "truncate": "IncompleteRead",
    "garbage": "BadStatusLine",
}


@pytest.mark.parametrize("kind", SEEN)
def test_a_fault_as_its_client_sees_it(kind: str, control: ZohoControl, http_client: Http) -> None:
    job_id = control.start_job(run_seconds=0)
    control.fault(kind)
    http_client.timeout = 0.3
    with pytest.raises(urllib3.exceptions.HTTPError, match=SEEN[kind]):
        http_client.status_of(job_id)
    http_client.timeout = 10
    control.fault("delay", seconds=0.05)
    assert http_client.status_of(job_id).status == 200
    assert [record.status for record in control.stats().records] == [200, 200], "both were processed"


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


def test_each_request_is_recorded_until_a_reset(control: ZohoControl, http_client: Http) -> None:
    path = "/crm/v8/Leads/actions/mass_change_owner"
    http_client.request("GET", f"{path}?job_id=1", Authorization="Zoho-oauthtoken abc", User_Agent="tester/1.0")
    http_client.token_request()
    stats = control.stats()
    status, token = stats.records
    assert (status.side, status.method, status.path, status.query) == ("crm", "GET", path, "job_id=1")
    assert (status.scheme, status.token, status.status) == ("Zoho-oauthtoken", "abc", 401)
    assert status.headers["user-agent"] == "tester/1.0"
    assert "grant_type=refresh_token" in token.body
    assert stats.requests_to("accounts") == [token]
    assert (stats.requests, stats.tokens_minted) == ({"crm": 1, "accounts": 1}, 1)
    assert control.stats(records=False).records == []
    control.settings(concurrency=0)
    control.fault("reset", side="crm")
    now = control.advance(90)
    control.reset()
    stats = control.stats()
    assert (stats.records, stats.tokens_minted, control.settings()["concurrency"]) == ([], 0, 20)
    assert control.now() == now, "the clock keeps running"
    assert http_client.status_of("1").json()["code"] == "INVALID_TOKEN"


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        ("settings", {"gravity": 1}, "there is no setting gravity"),
        ("fault", {"kind": "earthquake"}, "kind must be one of"),
        ("start_job", {"job_id": "x"}, "1 to 19 digits"),
        ("start_job", {"total": 50_001}, "from 0 to 50000"),
        ("start_job", {"failed": 50_001}, "a part of total"),
        ("start_job", {"shape": "zigzag"}, "shape must be one of"),
        ("start_job", {"run_seconds": -1}, "0 or more"),
    ],
)
def test_what_makes_no_sense_is_rejected(operation, arguments, message, control: ZohoControl) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(control, operation)(**arguments)


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
