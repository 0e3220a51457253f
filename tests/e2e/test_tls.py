"""TLS to every service: only certificates of the bundle in SSL_CERT_FILE are trusted. See tests/library/tls.rs."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.relay import Front, Relay, relay
from tests.e2e.scene import Scene

OURS, ANOTHER = trustme.CA(), trustme.CA()
NOW, DAY = datetime.now(UTC), timedelta(days=1)
SILENT: list[socket.socket] = []  # connections that get nothing

# The variable that names the service, and the error if it cannot be reached.
SERVICES = {
    "Zoho API": ("ZOHO_API_DOMAIN", "ZohoUnavailable"),
    "Zoho accounts server": ("ZOHO_ACCOUNTS_DOMAIN", "ZohoUnavailable"),
    "Secrets Manager": ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "SecretUnavailable"),
    "SNS": ("AWS_ENDPOINT_URL_SNS", "NotificationFailed"),
    "Scheduler": ("AWS_ENDPOINT_URL_SCHEDULER", "ScheduleNotDeleted"),
}


def tls(authority: trustme.CA = OURS, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, **validity: datetime) -> Front:
    """A handshake with a certificate of this authority, and this version of TLS at most."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    context.set_ciphers("ALL:@SECLEVEL=0")
    authority.issue_cert("127.0.0.1", **validity).configure_cert(context)
    return lambda client: context.wrap_socket(client, server_side=True)


FAULTS: dict[str, Front] = {
    "an unknown issuer": tls(ANOTHER),
    "an expired certificate": tls(not_before=NOW - 2 * DAY, not_after=NOW - DAY),
    "TLS 1.1 at most": tls(newest=ssl.TLSVersion.TLSv1_1),
    "no handshake": SILENT.append,
}
CELLS = [("Zoho API", fault) for fault in FAULTS] + [(service, "an unknown issuer") for service in SERVICES]


@pytest.fixture
def behind_tls(make_scene, stack, tmp_path: Path) -> Callable[..., AbstractContextManager[tuple[Scene, Relay]]]:
    """A job that is over, and a function that finds one service behind this handshake."""

    @contextmanager
    def made(service: str, front: Front) -> Iterator[tuple[Scene, Relay]]:
        OURS.cert_pem.write_to_path(tmp_path / "ca.pem")
        with relay(stack.zoho.url if service.startswith("Zoho") else stack.endpoint_url, front) as behind:
            env = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "REQUEST_TIMEOUT_SECONDS": "1"}
            secret = REFRESH_TOKEN_SECRET if service == "Zoho accounts server" else None
            scene = make_scene(secret, env={**env, SERVICES[service][0]: behind.url}, timeout=4)
            scene.finished_job()
            yield scene, behind

    return made


@pytest.mark.parametrize(("service", "fault"), dict.fromkeys(CELLS))
def test_a_fault_of_tls_is_an_outage_of_the_service(behind_tls, service, fault):
    with behind_tls(service, FAULTS[fault]) as (scene, front):
        how = {"schedule_arn": scene.create_schedule()} if service == "Scheduler" else {"notify": True}
        result = scene.check(**how)
    assert result.error_type == SERVICES[service][1], result.error_message
    assert front.connections > 0
    assert front.forwarded == 0, "a request was sent"
    is_named = "certificate" in fault or "issuer" in fault
    assert ("certificate" in result.error_message) == is_named, result.error_message


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_a_certificate_of_the_given_bundle_is_trusted(behind_tls, service, newest):
    with behind_tls(service, tls(newest=newest)) as (scene, front):
        assert scene.report(schedule_arn=scene.create_schedule())["schedule_deleted"] is True
        assert front.forwarded > 0
