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


# What the libraries in the process read by themselves.
LIBRARIES_READ = [
    "AWS_ACCOUNT_ID",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_DISABLE_CLOCK_SKEW_CORRECTION",
    "AWS_DISABLE_REQUEST_COMPRESSION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL_SCHEDULER",
    "AWS_ENDPOINT_URL_SNS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_EXECUTION_ENV",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "AWS_MAX_ATTEMPTS",
    "AWS_NEW_RETRIES_2026",
    "AWS_PROFILE",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_RETRY_MODE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SDK_UA_APP_ID",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SIGV4A_SIGNING_REGION_SET",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
]


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_variable_of_a_library_counts_as_not_set(make_scene, stack, value):
    # The AWS SDK would take an empty endpoint URL for one, and panic.
    empty = dict.fromkeys([*LIBRARIES_READ, "AWS_ENDPOINT_URL"], value)
    scene = make_scene(env={**empty, "AWS_ENDPOINT_URL_SECRETS_MANAGER": stack.endpoint_url})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


@pytest.mark.parametrize("name", [*LIBRARIES_READ, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
@pytest.mark.parametrize("value", ['{"client_secret": "5f3a9c1d5f3a9c1d5f"}', "5f3a9c1d5f3a9c1d5f\n%"])
def test_a_secret_in_a_variable_of_a_library_crashes_nothing_and_is_not_shown(make_scene, name, value):
    scene = make_scene(env={name: value})
    scene.running_job()
    result = scene.check()
    assert result.error_type in (None, "InvalidConfiguration", "SecretUnavailable")
    assert "5f3a9c1d" not in f"{result.error_message} {scene.fn.output}"
    assert scene.fn.cold_starts == 1
