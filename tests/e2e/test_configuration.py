"""Configuration errors: all are named at once, no value is shown, and the process survives. src/config has more."""

from __future__ import annotations

import re

import pytest

from tests.e2e.scene import ago

SECRET = "5f3a9c1d5f3a9c1d5f"


def test_all_errors_are_named_at_once_and_the_process_survives(make_scene):
    variables = {
        "ZOHO_SECRET_ID": '{"client_secret": "' + SECRET + '"}',
        "STATUS_TOPIC_ARN": "my-topic",
        "ZOHO_DATA_CENTER": "MOON",
        "ZOHO_API_DOMAIN": f"https://user:{SECRET}@www.zohoapis.com",
        "ZOHO_ACCOUNTS_DOMAIN": "http://accounts.zoho.com",
        "ZOHO_API_VERSION": "8",
        "REQUEST_TIMEOUT_SECONDS": "0",
        "CHECK_INTERVAL_MIN_SECONDS": "-1",
        "CHECK_INTERVAL_MAX_SECONDS": "often",
        "WATCH_LIMIT_SECONDS": "1.5",
    }
    scene = make_scene(env=variables)
    schedule = scene.create_schedule()
    for more in ({}, {"schedule_arn": schedule, "first_checked_at": ago(seconds=5)}):
        result = scene.check(**more)
        assert result.error_type == "InvalidConfiguration"
        for name in variables:
            assert name in result.error_message
        assert SECRET not in result.error_message + scene.fn.output
    assert scene.schedule(schedule), "nothing can be published"
    report = scene.report(announcement=True, status="RUNNING", first_checked_at=ago(hours=1), checked_at=ago(hours=1))
    assert (report["outcome"], report["error"]["type"]) == (None, "InvalidConfiguration")
    assert 3600 <= report["next_check_seconds"] <= 4320, "an hour"
    assert scene.fn.cold_starts == 1
    assert scene.requests() == []


def test_a_topic_is_needed_only_once_a_notification_is_due(make_scene):
    scene = make_scene(env={"STATUS_TOPIC_ARN": None, "ZOHO_API_VERSION": "v6"})
    scene.running_job()
    assert scene.report(notify=True)["status"] == "RUNNING"
    assert scene.requests()[0].path == "/crm/v6/Leads/actions/mass_change_owner"
    scene.zoho.advance(200_000)
    assert scene.report()["finished"] is True
    result = scene.check(notify=True)
    assert (result.error_type, "STATUS_TOPIC_ARN" in result.error_message) == ("InvalidConfiguration", True)


# What the libraries in the process read by themselves.
LIBRARIES_READ = re.findall(
    r"\w+",
    """
    AWS_CONFIG_FILE AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_PROFILE AWS_ROLE_ARN
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_DEFAULT_REGION AWS_SDK_UA_APP_ID
    AWS_ENDPOINT_URL_SCHEDULER AWS_ENDPOINT_URL_SNS AWS_EXECUTION_ENV AWS_IGNORE_CONFIGURED_ENDPOINT_URLS NO_PROXY
    AWS_LAMBDA_LOG_FORMAT AWS_LAMBDA_LOG_LEVEL AWS_MAX_ATTEMPTS AWS_NEW_RETRIES_2026 AWS_RETRY_MODE HTTPS_PROXY
    AWS_REQUEST_CHECKSUM_CALCULATION AWS_SESSION_TOKEN AWS_USE_DUALSTACK_ENDPOINT AWS_USE_FIPS_ENDPOINT SSL_CERT_FILE
    AWS_SHARED_CREDENTIALS_FILE AWS_WEB_IDENTITY_TOKEN_FILE AWS_EC2_METADATA_DISABLED
    """,
)


def test_an_empty_variable_of_a_library_counts_as_not_set(make_scene, stack):
    # The AWS SDK would take an empty endpoint URL for one, and panic.
    empty = dict.fromkeys([*LIBRARIES_READ, "AWS_ENDPOINT_URL"], "")
    scene = make_scene(env={**empty, "AWS_ENDPOINT_URL_SECRETS_MANAGER": stack.endpoint_url})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


@pytest.mark.parametrize("name", [*LIBRARIES_READ, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_a_secret_in_a_variable_of_a_library_crashes_nothing_and_is_not_shown(make_scene, name):
    scene = make_scene(env={name: '{"client_secret": "' + SECRET + '"}\n%'})
    scene.running_job()
    result = scene.check()
    assert result.error_type in (None, "InvalidConfiguration", "SecretUnavailable")
    assert SECRET not in f"{result.error_message} {scene.fn.output}"
    assert scene.fn.cold_starts == 1
