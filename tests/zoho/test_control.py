"""The control endpoint, and the simulator as a standalone program."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from local import zoho_simulator
from local.zoho_simulator import Settings, Zoho, ZohoControl
from local.zoho_simulator.faults import FAULT_KINDS

from .plain_http import Http


def test_each_request_is_recorded(control: ZohoControl, http_client: Http) -> None:
    http_client.request(
        "GET",
        "/crm/v8/Leads/actions/mass_change_owner?job_id=1",
        Authorization="Zoho-oauthtoken abc",
        Accept="application/json",
        User_Agent="tester/1.0",
    )
    http_client.mint()
    stats = control.stats()
    call, mint = stats.records
    assert (call.number, call.side, call.method, call.status) == (1, "crm", "GET", 401)
    assert (call.path, call.query) == ("/crm/v8/Leads/actions/mass_change_owner", "job_id=1")
    assert (call.scheme, call.token) == ("Zoho-oauthtoken", "abc")
    assert (call.headers["accept"], call.headers["user-agent"]) == ("application/json", "tester/1.0")
    assert "grant_type=refresh_token" in mint.body
    assert mint.connection != call.connection
    assert stats.requests_to("accounts") == [mint]
    assert (stats.requests, stats.connections) == ({"crm": 1, "accounts": 1}, 2)
    assert (stats.tokens_minted, stats.tokens_valid) == (1, 1)
    assert control.stats(records=False).records == []


def test_control_clients_are_not_counted(zoho: Zoho) -> None:
    other = ZohoControl(zoho.url)
    other.start_job()
    stats = other.stats()
    other.close()
    assert (stats.connections, stats.records, stats.jobs) == (0, [], 1)


def test_the_clock_can_be_advanced_and_accelerated() -> None:
    with Zoho(speed=0) as zoho:
        start = zoho.control.now()
        assert zoho.control.advance(90) == zoho.control.now() == start + 90
        zoho.control.set_speed(1e6)
        assert zoho.control.now() > start + 90
        with pytest.raises(ValueError, match="0 or more"):
            zoho.control.advance(-1)


def test_reset_discards_everything_but_the_clock(control: ZohoControl, http_client: Http) -> None:
    control.start_job()
    control.settings(concurrency=0)
    control.fault("server-error")
    http_client.mint()
    now = control.now()
    control.reset()
    stats = control.stats()
    assert (stats.jobs, stats.connections, stats.records, stats.tokens_minted) == (0, 0, [], 0)
    assert control.settings()["concurrency"] == 20
    assert control.now() == now
    assert http_client.status_of("1").json()["code"] == "INVALID_TOKEN"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gravity": 1}, "there is no setting gravity"),
        ({"concurrency": "3"}, "concurrency cannot be '3': it must be int"),
        ({"retry_after": "soon"}, "retry_after cannot be 'soon'"),
        ({"custom_modules": "Cars"}, "custom_modules cannot be 'Cars'"),
        ({"posted_job": {"total": -1}}, "total must be from 0 to 50000"),
        ({"posted_job": {"color": 1}}, "color"),
        ({"missing_job_id_status": 418}, "missing_job_id_status cannot be 418: it must be one of 404, 400"),
    ],
)
def test_rejects_unknown_settings_and_invalid_values(
    changes: dict[str, object], message: str, control: ZohoControl
) -> None:
    with pytest.raises(ValueError, match=message):
        control.settings(**changes)


def test_rejects_a_job_that_is_invalid(control: ZohoControl) -> None:
    control.start_job(job_id="123")
    for plan, message in (
        ({"job_id": "123"}, "no other job has"),
        ({"job_id": "x"}, "1 to 19 digits"),
        ({"total": 50_001}, "from 0 to 50000"),
    ):
        with pytest.raises(ValueError, match=message):
            control.start_job(**plan)


@pytest.mark.parametrize("tls", [False, True])
def test_the_standalone_program(tls: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.zoho_simulator", "--port", "0", "--set", "concurrency=3"]
    program = subprocess.Popen(command + (["--tls", str(tmp_path)] if tls else []), stdout=subprocess.PIPE, text=True)
    with program:
        assert program.stdout is not None
        url = re.search(r"https?://127\.0\.0\.1:\d+", program.stdout.readline())
        assert url is not None
        assert url[0].startswith("https://") == tls
        control = ZohoControl(url[0], tmp_path / "ca.pem" if tls else None)
        assert control.settings()["concurrency"] == 3
        control.close()
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0


def test_the_standalone_program_rejects_an_unknown_setting() -> None:
    command = [sys.executable, "-m", "local.zoho_simulator", "--port", "0", "--set", "gravity=1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "there is no setting gravity" in ended.stderr


def test_the_readme_lists_every_setting_and_fault() -> None:
    text = (Path(zoho_simulator.__file__).parent / "README.md").read_text()
    names = {*FAULT_KINDS, *(field.name for field in fields(Settings))}
    assert {name for name in names if f"`{name}`" not in text} == set()
