"""The terminal watch with the function's own secret, and with AWS credentials as every tool takes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from local.aws_endpoint.moto_process import CREDENTIALS, REGION
from local.stack import Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.watch_job.conftest import Terminal

KEYS = {"AccessKeyId": "testing", "SecretAccessKey": "testing", "SessionToken": "testing"}
FAR = "2099-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack


def watch(terminal: Terminal, stack: Stack, **env: str | None):
    """Looks once at a job, with a secret of the stack."""
    secret_id = stack.secret(REFRESH_TOKEN_SECRET)
    job_id = stack.zoho.control.start_job(run_seconds=0)
    zoho = {"ZOHO_API_DOMAIN": stack.zoho.url, "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url}
    aws = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": stack.endpoint_url}
    shown = terminal.run("Leads", job_id, "--once", "--secret-id", secret_id, **zoho, **(aws | env))
    versions = stack.client("secretsmanager").list_secret_version_ids(SecretId=secret_id)["Versions"]
    assert len(versions) == 1, "this program stores nothing in the secret"
    assert not (terminal.home / ".cache").exists()
    return shown


def test_the_secret_of_the_function(terminal, stack):
    shown = watch(terminal, stack, **CREDENTIALS)
    assert (shown.returncode, shown.stderr) == (0, "")
    shown = watch(terminal, stack, **CREDENTIALS, AWS_REGION=None)
    assert (shown.returncode, "AWS_REGION" in shown.stderr) == (2, True)
    shown = watch(terminal, stack, AWS_EC2_METADATA_DISABLED="true")
    assert (shown.returncode, "log in with the AWS CLI" in shown.stdout + shown.stderr) == (5, True)


@pytest.mark.parametrize("profile", ["process", "role", "sso"])
def test_aws_credentials_as_every_tool_takes_them(terminal, stack, profile):
    home = terminal.home / ".aws"
    (home / "sso/cache").mkdir(parents=True)
    (home / "keys.json").write_text(json.dumps({"Version": 1, **KEYS, "Expiration": FAR}))
    (home / "config").write_text(
        f"[profile process]\ncredential_process = cat {home}/keys.json\n"
        f"[profile role]\nrole_arn = arn:aws:iam::123456789012:role/watcher\nsource_profile = process\n"
        f"[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = watcher\n"
        f"[sso-session s]\nsso_region = {REGION}\nsso_start_url = https://example.awsapps.com/start\n"
    )
    token = {"accessToken": "token", "expiresAt": FAR, "region": REGION, "startUrl": "https://example.awsapps.com"}
    (home / f"sso/cache/{hashlib.sha1(b's').hexdigest()}.json").write_text(json.dumps(token))
    # The terminal's own simulator stands in for the portal of IAM Identity Center.
    keys = {name[0].lower() + name[1:]: value for name, value in KEYS.items()}
    terminal.zoho.respond(body={"roleCredentials": {**keys, "expiration": 4_070_908_800_000}})
    shown = watch(terminal, stack, AWS_PROFILE=profile, AWS_ENDPOINT_URL_SSO=terminal.env["ZOHO_API_DOMAIN"])
    assert (shown.returncode, shown.stderr) == (0, "")
