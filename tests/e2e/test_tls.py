"""TLS to every service: only certificates of the bundle in SSL_CERT_FILE are trusted."""

from __future__ import annotations

import os
import socket
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from local.stack import Stack
from local.wire import RESET_ON_CLOSE
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.relay import Front, relay
from tests.e2e.scene import Scene

TIMEOUT_SECONDS = 4
OURS, ANOTHER = trustme.CA(), trustme.CA()
DAY = timedelta(days=1)

# The variable that names the service, and the error if it cannot be reached.
SERVICES = {
    "Zoho API": ("ZOHO_API_DOMAIN", "ZohoUnavailable"),
    "Zoho accounts server": ("ZOHO_ACCOUNTS_DOMAIN", "ZohoUnavailable"),
    "Secrets Manager": ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "SecretUnavailable"),
    "SNS": ("AWS_ENDPOINT_URL_SNS", "NotificationFailed"),
    "Scheduler": ("AWS_ENDPOINT_URL_SCHEDULER", "ScheduleNotDeleted"),
}


def tls(
    authority: trustme.CA = OURS,
    name: str = "127.0.0.1",
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    after: Callable[[ssl.SSLSocket], Any] = lambda client: client,
    **validity: datetime,
) -> Front:
    """A handshake with a certificate for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = versions
    context.set_ciphers("ALL:@SECLEVEL=0")
    authority.issue_cert(name, **validity).configure_cert(context)
    return lambda client: after(context.wrap_socket(client, server_side=True))


def closed(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.close()


def plain_http(client: socket.socket) -> None:
    client.recv(65536)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    client.close()


def stalled(client: socket.socket) -> None:
    while client.recv(65536):
        pass


OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
FAULTS: dict[str, Front] = {
    "an unknown issuer": tls(ANOTHER),
    "a certificate for another name": tls(name="crm.another-name.example"),
    "an expired certificate": tls(not_before=datetime.now(UTC) - 2 * DAY, not_after=datetime.now(UTC) - DAY),
    "a certificate of tomorrow": tls(not_before=datetime.now(UTC) + DAY, not_after=datetime.now(UTC) + 2 * DAY),
    "TLS 1.1 at most": tls(versions=OLD),
    "HTTP without TLS": plain_http,
    "closed before the handshake": closed,
    "reset in the handshake": reset,
    "no handshake": stalled,
    "closed after the handshake": tls(after=closed),
}
CERTIFICATES = [name for name in FAULTS if "certificate" in name or "issuer" in name]


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    OURS.cert_pem.write_to_path(file)
    return file


def finished_watch(make_scene, service: str, url: str, **env: str) -> Scene:
    """A job that is over, and a function that finds this service at this address."""
    variable, _ = SERVICES[service]
    needs_a_token = service == "Zoho accounts server"
    env = {variable: url, "REQUEST_TIMEOUT_SECONDS": "1", **env}
    scene = make_scene(REFRESH_TOKEN_SECRET if needs_a_token else None, env=env, timeout=TIMEOUT_SECONDS)
    scene.finished_job()
    return scene


def behind(stack: Stack, service: str) -> str:
    return stack.zoho.url if service.startswith("Zoho") else stack.endpoint_url


# Most of these wait for timeouts: the gate takes one service of each HTTP client's user, and `make faults` all.
CELLS = [
    (service, fault)
    for service in SERVICES
    for fault in FAULTS
    if "ALL_FAULTS" in os.environ or service in ("Zoho API", "SNS") or fault == "an unknown issuer"
]


@pytest.mark.parametrize(("service", "fault"), CELLS)
def test_a_fault_of_tls_is_an_outage_of_the_service(stack, make_scene, ca_file, service, fault):
    with relay(behind(stack, service), FAULTS[fault]) as front:
        scene = finished_watch(make_scene, service, front.url, SSL_CERT_FILE=str(ca_file))
        result = scene.check(schedule_arn=scene.create_schedule())
    assert result.error_type == SERVICES[service][1], result.error_message
    assert front.connections > 0
    assert front.forwarded == 0, "a request was sent"
    assert ("certificate" in result.error_message) == (fault in CERTIFICATES), result.error_message


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_a_certificate_of_the_given_bundle_is_trusted(stack, make_scene, ca_file, service, version):
    with relay(behind(stack, service), tls(versions=(version, version))) as front:
        scene = finished_watch(make_scene, service, front.url, SSL_CERT_FILE=str(ca_file))
        assert scene.report(schedule_arn=scene.create_schedule())["schedule_deleted"] is True
        assert front.forwarded > 0


def test_without_a_bundle_the_usual_authorities_are_trusted(stack, make_scene):
    with relay(stack.zoho.url, tls()) as front:
        result = finished_watch(make_scene, "Zoho API", front.url).check()
    assert (result.error_type, front.forwarded) == ("ZohoUnavailable", 0)
    assert "certificate" in result.error_message
