"""Hosts that come from outside: access tokens are only sent to Zoho's API hosts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from local.zoho_simulator import REFRESH_TOKEN_SECRET, Zoho
from tests.e2e.bursts import plant_token

HOSTILE = [
    "https://169.254.169.254",
    "http://169.254.169.254",
    "https://[fd00:ec2::254]",
    "https://10.0.0.1",
    "https://www.zohoapis.com.attacker.example",
    "https://attacker.example/www.zohoapis.com",
    "https://www.zohoapis.com@attacker.example",
    "http://www.zohoapis.com",
    "file:///etc/passwd",
    "not a host",
]


@pytest.fixture(scope="module")
def unreachable() -> Iterator[dict[str, str]]:
    """Variables with which the data center's own host cannot be reached: they make its certificate unknown."""
    with Zoho(tls=True) as zoho:
        yield {"SSL_CERT_FILE": str(zoho.ca_file), "REQUEST_TIMEOUT_SECONDS": "1"}


@pytest.fixture
def attacker() -> Iterator[Zoho]:
    """Another host, which must not be contacted."""
    with Zoho() as attacker:
        yield attacker
        assert attacker.control.stats().connections == 0


@pytest.mark.parametrize("host", HOSTILE)
def test_a_hostile_host_in_the_token_response_is_ignored(make_scene, stack, unreachable, host):
    stack.zoho.control.settings(token_api_domain=host)
    scene = make_scene(REFRESH_TOKEN_SECRET, env={"ZOHO_API_DOMAIN": None, **unreachable})
    result = scene.check(timeout=5)
    assert result.error_type == "ZohoUnavailable"
    assert "https://www.zohoapis.com," in result.error_message
    assert host not in result.error_message
    assert scene.requests() == []


@pytest.mark.parametrize("host", [*HOSTILE, None])
def test_a_hostile_host_in_the_shared_token_is_ignored(make_scene, attacker, unreachable, host):
    """None is a loopback host, which only counts next to an accounts server on a loopback host."""
    env = {"ZOHO_API_DOMAIN": None, "ZOHO_ACCOUNTS_DOMAIN": None, **unreachable}
    scene = make_scene(REFRESH_TOKEN_SECRET, env=env)
    host = host or attacker.url
    planted = {"access_token": scene.issue_token(), "api_domain": host, "expires_at": in_an_hour()}
    plant_token(scene, "https://accounts.zoho.com", **planted)
    result = scene.check(timeout=5)
    assert result.error_type == "ZohoUnavailable"
    assert host not in result.error_message
    assert planted["access_token"] not in result.error_message + scene.fn.output


def test_a_shared_token_is_not_used_beyond_a_day(make_scene, stack):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.running_job()
    planted = {"access_token": scene.issue_token(), "expires_at": "9999-12-31T23:59:59Z"}
    plant_token(scene, stack.zoho.url, **planted)
    scene.report()
    assert scene.requests()[-1].token == planted["access_token"]
    # Zoho rejects it now, so it must be replaced, regardless of its expiry.
    scene.zoho.revoke(planted["access_token"])
    assert scene.report()["status"] == "RUNNING"
    assert scene.requests()[-1].token != planted["access_token"]


def in_an_hour() -> str:
    return datetime.fromtimestamp(time.time() + 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_accounts_host_in_the_secret_must_be_https(make_scene):
    for host in ("http://10.0.0.1", "https://10.0.0.1/path", "ftp://accounts.zoho.com"):
        result = make_scene({**REFRESH_TOKEN_SECRET, "accounts_domain": host}).check()
        assert result.error_type == "SecretInvalid", host
