"""TLS to every service: only certificates of the bundle in SSL_CERT_FILE are trusted."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.relay import Front, relay
from tests.e2e.scene import Scene

OURS, ANOTHER = trustme.CA(), trustme.CA()
NOW, DAY = datetime.now(UTC), timedelta(days=1)

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
    **validity: datetime,
) -> Front:
    """A handshake with a certificate for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version, context.maximum_version = versions
    context.set_ciphers("ALL:@SECLEVEL=0")
    authority.issue_cert(name, **validity).configure_cert(context)
    return lambda client: context.wrap_socket(client, server_side=True)


FAULTS: dict[str, Front] = {
    "an unknown issuer": tls(ANOTHER),
    "a certificate for another name": tls(name="crm.another-name.example"),
    "an expired certificate": tls(not_before=NOW - 2 * DAY, not_after=NOW - DAY),
    "a certificate of tomorrow": tls(not_before=NOW + DAY, not_after=NOW + 2 * DAY),
    "TLS 1.1 at most": tls(versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)),
    "closed before the handshake": lambda client: client.close(),
    "no handshake": lambda client: None,
}
CELLS = [("Zoho API", fault) for fault in FAULTS] + [(service, "an unknown issuer") for service in SERVICES]


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    OURS.cert_pem.write_to_path(file)
    return str(file)


def finished_watch(make_scene, service: str, url: str, **env: str) -> Scene:
    """A job that is over, and a function that finds this service at this address."""
    secret = REFRESH_TOKEN_SECRET if service == "Zoho accounts server" else None
    env = {SERVICES[service][0]: url, "REQUEST_TIMEOUT_SECONDS": "1", **env}
    scene = make_scene(secret, env=env, timeout=4)
    scene.finished_job()
    return scene


def behind(stack, service: str) -> str:
    return stack.zoho.url if service.startswith("Zoho") else stack.endpoint_url


@pytest.mark.parametrize(("service", "fault"), dict.fromkeys(CELLS))
def test_a_fault_of_tls_is_an_outage_of_the_service(stack, make_scene, ca_file, service, fault):
    with relay(behind(stack, service), FAULTS[fault]) as front:
        scene = finished_watch(make_scene, service, front.url, SSL_CERT_FILE=ca_file)
        result = (
            scene.check(notify=True) if service != "Scheduler" else scene.check(schedule_arn=scene.create_schedule())
        )
    assert result.error_type == SERVICES[service][1], result.error_message
    assert front.connections > 0
    assert front.forwarded == 0, "a request was sent"
    is_named = "certificate" in fault or "issuer" in fault
    assert ("certificate" in result.error_message) == is_named, result.error_message


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_a_certificate_of_the_given_bundle_is_trusted(stack, make_scene, ca_file, service, version):
    with relay(behind(stack, service), tls(versions=(version, version))) as front:
        scene = finished_watch(make_scene, service, front.url, SSL_CERT_FILE=ca_file)
        assert scene.report(schedule_arn=scene.create_schedule())["schedule_deleted"] is True
        assert front.forwarded > 0


def test_without_a_bundle_the_usual_authorities_are_trusted(stack, make_scene):
    with relay(stack.zoho.url, tls()) as front:
        result = finished_watch(make_scene, "Zoho API", front.url).check()
    assert (result.error_type, front.forwarded) == ("ZohoUnavailable", 0)
    assert "certificate" in result.error_message
