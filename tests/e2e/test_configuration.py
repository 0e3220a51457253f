"""Configuration errors: all are named at once, and the process survives. src/config.rs has the details."""

from __future__ import annotations

import pytest

from tests.e2e.scene import JOB_ID


def test_all_errors_are_named_at_once_and_the_process_survives(make_scene):
    variables = {
        "ZOHO_SECRET_ID": None,
        "STATUS_TOPIC_ARN": "my-topic",
        "ZOHO_API_DOMAIN": "http://www.zohoapis.com",
        "ZOHO_ACCOUNTS_DOMAIN": "accounts.zoho.com",
        "ZOHO_API_VERSION": "8",
        "REQUEST_TIMEOUT_SECONDS": "0",
        "CHECK_INTERVAL_MIN_SECONDS": "-1",
        "CHECK_INTERVAL_MAX_SECONDS": "often",
        "WATCH_LIMIT_SECONDS": "1.5",
    }
    scene = make_scene(env=variables)
    for _ in range(2):
        result = scene.check()
        assert result.error_type == "InvalidConfiguration"
        for name in variables:
            assert name in result.error_message
    assert scene.fn.cold_starts == 1
    assert scene.requests() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZOHO_SECRET_ID", ""),
        ("ZOHO_API_DOMAIN", "https://user:password@www.zohoapis.com"),
    ],
)
def test_a_malformed_variable(make_scene, name, value):
    result = make_scene(env={name: value}).check()
    assert result.error_type == "InvalidConfiguration"
    assert name in result.error_message
    assert "password" not in result.error_message


def test_bounds_in_the_wrong_order(make_scene):
    result = make_scene(env={"CHECK_INTERVAL_MIN_SECONDS": "60", "CHECK_INTERVAL_MAX_SECONDS": "59"}).check()
    assert result.error_type == "InvalidConfiguration"
    assert "CHECK_INTERVAL_MIN_SECONDS" in result.error_message


def test_a_topic_is_needed_only_once_a_notification_is_due(make_scene):
    scene = make_scene(env={"STATUS_TOPIC_ARN": None})
    scene.running_job()
    assert scene.report(notify=True)["status"] == "RUNNING"
    scene.zoho.advance(200_000)
    assert scene.report()["finished"] is True
    result = scene.check(JOB_ID, notify=True)
    assert result.error_type == "InvalidConfiguration"
    assert "STATUS_TOPIC_ARN" in result.error_message


def test_a_certificate_bundle_that_cannot_be_read(make_scene):
    result = make_scene(env={"SSL_CERT_FILE": "/nowhere/ca.pem"}).check()
    assert result.error_type == "InvalidConfiguration"
    assert "SSL_CERT_FILE" in result.error_message
