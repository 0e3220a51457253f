"""TLS to Zoho: only certificates of the bundle in SSL_CERT_FILE are trusted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.zoho_simulator import Zoho
from tests.e2e.scene import JOB_ID, LONG_LIFE, Scene


@pytest.fixture
def zoho() -> Iterator[Zoho]:
    with Zoho(tls=True) as zoho:
        zoho.control.start_job(job_id=JOB_ID, run_seconds=1000)
        yield zoho


def over_tls(make_scene, zoho: Zoho, **env: str) -> Scene:
    secret = {"access_token": zoho.control.issue_token(life_seconds=LONG_LIFE)}
    return make_scene(secret, env={"ZOHO_API_DOMAIN": zoho.url, **env})


def test_a_certificate_of_the_given_bundle_is_trusted(make_scene, zoho):
    scene = over_tls(make_scene, zoho, SSL_CERT_FILE=str(zoho.ca_file))
    assert scene.report()["status"] == "RUNNING"
    assert scene.report()["status"] == "RUNNING"
    assert len({request.connection for request in zoho.control.stats().requests_to("crm")}) == 1


def test_an_unknown_issuer_is_rejected(make_scene, zoho):
    result = over_tls(make_scene, zoho).check()
    assert result.error_type == "ZohoUnavailable"
    assert "certificate" in result.error_message
    assert zoho.control.stats().requests_to("crm") == []


def test_a_certificate_for_another_name_is_rejected(make_scene, zoho):
    zoho.control.fault("wrong-certificate", times=99)
    result = over_tls(make_scene, zoho, SSL_CERT_FILE=str(zoho.ca_file)).check()
    assert result.error_type == "ZohoUnavailable"
    assert "certificate" in result.error_message
    assert zoho.control.stats().requests_to("crm") == []
