"""The secret: its forms, its errors, and the token that is requested with it. src/zoho/credentials has every form."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.zoho_simulator import (
    CLIENT_CREDENTIALS_SECRET,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    REFRESH_TOKEN_SECRET,
    Zoho,
)
from tests.e2e.scene import LONG_LIFE, Scene

LABEL = "ZOHO_ACCESS_TOKEN"


def stored(scene: Scene, label: str) -> str | None:
    secrets = scene.stack.client("secretsmanager")
    try:
        return secrets.get_secret_value(SecretId=scene.secret_id, VersionStage=label)["SecretString"]
    except secrets.exceptions.ResourceNotFoundException:
        return None


def tokens_used(scene: Scene) -> list[str]:
    return [request.token for request in scene.requests()]


@pytest.mark.parametrize("form", ['{{"access_token": "{}"}}', "{}", " {}\n", '"{{\\"access_token\\": \\"{}\\"}}"'])
def test_a_token_that_something_else_keeps_up_to_date(make_scene, stack, form):
    old = stack.zoho.control.issue_token(life_seconds=LONG_LIFE)
    scene = make_scene(form.format(old))
    scene.running_job()
    scene.report()
    new = scene.issue_token()
    scene.zoho.revoke(old)
    scene.put_secret(form.format(new))
    assert scene.report()["status"] == "RUNNING"
    assert tokens_used(scene) == [old, old, new]
    scene.zoho.revoke(new)
    reads = len(scene.stack.calls("secretsmanager", "GetSecretValue"))
    assert scene.check().error_type == "TokenRejected"
    assert len(scene.stack.calls("secretsmanager", "GetSecretValue")) - reads == 1, "read again once"
    assert scene.token_requests() == []


@pytest.mark.parametrize(
    ("secret", "body"),
    [
        (REFRESH_TOKEN_SECRET, "grant_type=refresh_token"),
        (CLIENT_CREDENTIALS_SECRET, "scope=ZohoCRM.change_owner.READ"),
    ],
    ids=["refresh token", "client credentials"],
)
def test_a_token_is_requested_once_and_shared_under_its_own_label(make_scene, secret, body):
    scene = make_scene(secret, concurrency=2)
    scene.running_job()
    for _ in range(3):
        scene.report()
    (request,) = scene.token_requests()
    assert (request.method, request.path, request.query) == ("POST", "/oauth/v2/token", "")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert body in request.body
    assert json.loads(stored(scene, LABEL)).keys() >= {"access_token", "api_domain", "expires_at"}
    assert json.loads(stored(scene, "AWSCURRENT")) == secret
    again = {"module": "Leads", "job_id": scene.requests()[0].query.removeprefix("job_id=")}
    assert all(result.ok for result in scene.fn.invoke_together([again] * 2))
    assert scene.fn.cold_starts == 2
    assert len(scene.token_requests()) == 1
    scene.zoho.revoke(tokens_used(scene)[0])
    assert scene.report()["status"] == "RUNNING"
    assert len(scene.token_requests()) == 2, "a 401 costs one token"


def test_an_api_that_rejects_every_token_does_not_make_each_invocation_request_one(make_scene):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.zoho.respond(status=401, body={"code": "INVALID_TOKEN", "message": "m", "status": "error"}, times=99)
    for _ in range(4):
        result = scene.check()
        assert (result.error_type, "INVALID_TOKEN" in result.error_message) == ("TokenRejected", True)
    assert len(scene.token_requests()) == 2, "the first token, its replacement, and no more for now"


def test_rejected_credentials_are_not_tried_again_until_they_are_corrected(make_scene):
    scene = make_scene({**REFRESH_TOKEN_SECRET, "refresh_token": "1000.wrong.one"})
    for _ in range(2):
        result = scene.check()
        assert (result.error_type, "invalid_code" in result.error_message) == ("TokenRejected", True)
    assert len(scene.token_requests()) == 1
    assert scene.requests() == []
    scene.put_secret({"access_token": scene.issue_token()})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


def test_a_token_that_cannot_be_shared_is_used_alone(make_scene, stack):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.running_job()
    with stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="AccessDeniedException"):
        assert [scene.report()["status"] for _ in range(2)] == ["RUNNING"] * 2
    assert len(scene.token_requests()) == 1
    assert "PutSecretValue" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
    assert stored(scene, LABEL) is None


# ---- hosts -----------------------------------------------------------------------------------------


NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("variable", "in_the_secret", "in_the_token_response"),
    [("here", NOWHERE, NOWHERE), (None, "here", NOWHERE), (None, None, "here")],
    ids=["ZOHO_API_DOMAIN", "secret", "token response"],
)
def test_the_first_api_host_counts(make_scene, stack, variable, in_the_secret, in_the_token_response):
    def url(host: str | None) -> str | None:
        return stack.zoho.url if host == "here" else host

    stack.zoho.control.settings(token_api_domain=url(in_the_token_response))
    own = {"api_domain": url(in_the_secret)} if in_the_secret else {}
    secret = {**REFRESH_TOKEN_SECRET, "accounts_domain": stack.zoho.url, **own}
    scene = make_scene(secret, env={"ZOHO_API_DOMAIN": url(variable), "ZOHO_ACCOUNTS_DOMAIN": None})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"


@pytest.fixture(scope="module")
def unreachable() -> Iterator[dict[str, str | None]]:
    """Variables with which the data center's own host cannot be reached: they make its certificate unknown."""
    with Zoho(tls=True) as zoho:
        yield {"SSL_CERT_FILE": str(zoho.ca_file), "REQUEST_TIMEOUT_SECONDS": "1", "ZOHO_API_DOMAIN": None}


@pytest.mark.parametrize(
    "host",
    [
        "https://169.254.169.254",
        "https://www.zohoapis.com.attacker.example",
        "http://www.zohoapis.com",
    ],
)
def test_a_token_is_never_sent_to_a_host_that_is_not_zohos(make_scene, stack, unreachable, host):
    stack.zoho.control.settings(token_api_domain=host)
    scene = make_scene(REFRESH_TOKEN_SECRET, env=unreachable)
    result = scene.check(timeout=5)
    assert result.error_type == "ZohoUnavailable"
    assert "https://www.zohoapis.com" in result.error_message
    assert host not in result.error_message
    assert scene.requests() == []


def test_a_shared_token_with_a_hostile_host_or_no_end_is_not_trusted(make_scene, unreachable):
    with Zoho() as attacker:
        # A loopback host counts only next to an accounts server on a loopback host.
        scene = make_scene(REFRESH_TOKEN_SECRET, env={**unreachable, "ZOHO_ACCOUNTS_DOMAIN": None})
        planted = {
            "access_token": scene.issue_token(),
            "expires_at": "9999-12-31T23:59:59Z",
            "api_domain": attacker.url,
        }
        secrets = scene.stack.client("secretsmanager")
        secrets.put_secret_value(SecretId=scene.secret_id, SecretString=json.dumps(planted), VersionStages=[LABEL])
        result = scene.check(timeout=5)
        assert result.error_type == "ZohoUnavailable"
        assert planted["access_token"] not in result.error_message + scene.fn.output
        assert attacker.control.stats().connections == 0


@pytest.mark.parametrize(
    ("secret", "named"),
    [
        (" ", "empty"),
        (json.dumps({**REFRESH_TOKEN_SECRET, "client_secret": None}), "client_secret"),
        (json.dumps({**REFRESH_TOKEN_SECRET, "accounts_domain": "http://10.0.0.1"}), "accounts_domain"),
        (None, "no-such-secret"),
    ],
)
def test_a_secret_that_is_none(make_scene, secret, named):
    scene = make_scene(secret, env={} if secret else {"ZOHO_SECRET_ID": "no-such-secret"})
    result = scene.check()
    assert (result.error_type, named in result.error_message) == ("SecretInvalid", True), result.error_message
    for value in (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET):
        assert value not in result.error_message
    assert scene.requests() == []
