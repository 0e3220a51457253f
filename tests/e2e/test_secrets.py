"""The secret: a token, and the token that is requested with it. src/zoho has every form, host, and error."""

from __future__ import annotations

import json

import pytest
import trustme

from local.zoho_simulator import CLIENT_CREDENTIALS_SECRET, REFRESH_TOKEN_SECRET
from tests.e2e.scene import LONG_LIFE, Scene

LABEL = "ZOHO_ACCESS_TOKEN"


def stored(scene: Scene, label: str) -> dict:
    secrets = scene.stack.client("secretsmanager")
    return json.loads(secrets.get_secret_value(SecretId=scene.secret_id, VersionStage=label)["SecretString"])


def tokens_used(scene: Scene) -> list[str]:
    return [request.token for request in scene.requests()]


@pytest.mark.parametrize("form", ['{{"access_token": "{}"}}', " {}\n"])
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
    scene = make_scene(secret)
    scene.running_job()
    for _ in range(2):
        scene.report()
    (request,) = scene.token_requests()
    assert (request.method, request.path, request.query) == ("POST", "/oauth/v2/token", "")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert body in request.body
    assert stored(scene, LABEL).keys() >= {"access_token", "api_domain", "expires_at"}
    assert stored(scene, "AWSCURRENT") == secret
    scene.zoho.revoke(tokens_used(scene)[0])
    assert scene.report()["status"] == "RUNNING"
    assert len(scene.token_requests()) == 2, "a 401 costs one token"


def test_a_token_is_never_sent_to_a_host_that_is_not_zohos(make_scene, stack, tmp_path):
    host = "https://www.zohoapis.com.attacker.example"
    stack.zoho.control.settings(token_api_domain=host)
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    # The data center's own host cannot be reached: no authority but this one is known.
    env = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "REQUEST_TIMEOUT_SECONDS": "1", "ZOHO_API_DOMAIN": None}
    scene = make_scene(REFRESH_TOKEN_SECRET, env=env)
    result = scene.check(timeout=5)
    assert result.error_type == "ZohoUnavailable"
    assert "https://www.zohoapis.com" in result.error_message
    assert host not in result.error_message
    assert scene.requests() == []
