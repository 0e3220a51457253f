"""The secret: its forms, its errors, and the token that is minted with it. src/zoho/credentials.rs has every form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.zoho_simulator import (
    CLIENT_CREDENTIALS_SECRET,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    REFRESH_TOKEN_SECRET,
)
from tests.e2e.scene import LONG_LIFE, Scene

LABEL = "ZOHO_ACCESS_TOKEN"


def stored(scene: Scene, stage: str) -> str | None:
    secrets = scene.stack.client("secretsmanager")
    try:
        return secrets.get_secret_value(SecretId=scene.secret_id, VersionStage=stage)["SecretString"]
    except secrets.exceptions.ResourceNotFoundException:
        return None


def tokens_used(scene: Scene) -> list[str]:
    return [request.token for request in scene.requests()]


# ---- form 1: a token that is managed elsewhere -----------------------------------------------


@pytest.mark.parametrize("form", ["object", "text", "text with a line end"])
def test_a_static_token(make_scene, stack, form):
    token = stack.zoho.control.issue_token(life_seconds=LONG_LIFE)
    secret = {"object": {"access_token": token}, "text": token, "text with a line end": token + "\n"}[form]
    scene = make_scene(secret)
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
    assert tokens_used(scene) == [token]
    assert scene.token_requests() == []


def test_a_static_token_is_read_again_when_zoho_rejects_it(scene):
    scene.running_job()
    scene.report()
    old = tokens_used(scene)[0]
    new = scene.issue_token()
    scene.zoho.revoke(old)
    scene.put_secret({"access_token": new})
    assert scene.report()["status"] == "RUNNING"
    assert tokens_used(scene) == [old, old, new]
    scene.report()
    assert tokens_used(scene)[3:] == [new]


def test_a_static_token_that_stays_bad_is_rejected_after_one_more_read(make_scene):
    scene = make_scene({"access_token": "1000.dead.token"})
    scene.check()
    before = len(scene.stack.calls("secretsmanager", "GetSecretValue"))
    requests = len(scene.requests())
    assert scene.check().error_type == "TokenRejected"
    assert len(scene.stack.calls("secretsmanager", "GetSecretValue")) - before == 1
    assert len(scene.requests()) - requests <= 2


# ---- forms 2 and 3: the function mints -------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "grant"),
    [(REFRESH_TOKEN_SECRET, "refresh_token"), (CLIENT_CREDENTIALS_SECRET, "client_credentials")],
    ids=["form 2", "form 3"],
)
def test_a_token_is_minted_once_and_used_from_then_on(make_scene, secret, grant):
    scene = make_scene(secret)
    scene.running_job()
    for _ in range(3):
        scene.report()
    (request,) = scene.token_requests()
    assert (request.method, request.path, request.query) == ("POST", "/oauth/v2/token", "")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert f"grant_type={grant}" in request.body
    assert len(set(tokens_used(scene))) == 1


def test_the_default_scope_of_form_3(make_scene):
    scene = make_scene(CLIENT_CREDENTIALS_SECRET)
    scene.running_job()
    scene.report()
    assert "scope=ZohoCRM.change_owner.READ" in scene.token_requests()[0].body


def test_the_older_form_of_the_token_response(make_scene, stack):
    stack.zoho.control.settings(legacy_expires_in=True)
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.running_job()
    scene.report()
    expires_at = datetime.fromisoformat(json.loads(stored(scene, LABEL))["expires_at"].replace("Z", "+00:00"))
    # 3,600 seconds from now, not 3,600,000, and with room for a slow machine.
    assert timedelta(minutes=30) < expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_a_minted_token_is_shared_under_its_own_label(make_scene):
    scene = make_scene(REFRESH_TOKEN_SECRET, concurrency=2)
    scene.running_job()
    scene.report()
    assert json.loads(stored(scene, LABEL)).keys() >= {"access_token", "api_domain", "expires_at"}
    assert json.loads(stored(scene, "AWSCURRENT")) == REFRESH_TOKEN_SECRET

    request = {"module": "Leads", "job_id": scene.requests()[0].query.removeprefix("job_id=")}
    assert all(result.ok for result in scene.fn.invoke_together([request] * 2))
    assert scene.fn.cold_starts == 2
    assert len(scene.token_requests()) == 1


def test_a_401_costs_exactly_one_refresh(make_scene):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.running_job()
    scene.report()
    scene.zoho.revoke(tokens_used(scene)[0])
    assert scene.report()["status"] == "RUNNING"
    assert len(scene.token_requests()) == 2
    # A token that is seconds old is tried once more.
    assert len(scene.requests()) == 4


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "INVALID_TOKEN"), (401, "AUTHENTICATION_FAILURE"), (401, "INVALID_OAUTHTOKEN"), (200, "INVALID_OAUTHTOKEN")],
)
def test_a_replacement_token_that_zoho_rejects_too(make_scene, status, code):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.running_job()
    scene.report()
    before = len(scene.token_requests()), len(scene.requests())
    scene.zoho.respond(status=status, body={"code": code, "message": "m", "status": "error", "details": {}}, times=9)
    result = scene.check()
    assert result.error_type == "TokenRejected"
    assert code in result.error_message
    assert (len(scene.token_requests()) - before[0], len(scene.requests()) - before[1]) == (1, 4)


def test_an_api_that_rejects_every_token_does_not_make_each_invocation_mint_one(make_scene):
    scene = make_scene(secret=REFRESH_TOKEN_SECRET)
    scene.zoho.respond(status=401, body={"code": "INVALID_TOKEN", "message": "m", "status": "error"}, times=20)
    for _ in range(4):
        assert scene.check().error_type == "TokenRejected"
    assert len(scene.token_requests()) == 2, "the first token, its replacement, and no more for now"


def test_a_missing_scope_never_mints(make_scene):
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.zoho.respond(status=401, body={"code": "OAUTH_SCOPE_MISMATCH", "message": "m", "status": "error"}, times=9)
    assert scene.check().error_type == "ScopeMismatch"
    assert (len(scene.token_requests()), len(scene.requests())) == (1, 1)


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ({**REFRESH_TOKEN_SECRET, "refresh_token": "1000.wrong.one"}, "invalid_code"),
        ({**REFRESH_TOKEN_SECRET, "client_id": "1000.WRONG"}, "invalid_client"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_rejected_credentials_are_not_tried_again(make_scene, stack, secret, code, status):
    stack.zoho.control.settings(oauth_error_status=status)
    scene = make_scene(secret)
    result = scene.check()
    assert result.error_type == "TokenRejected"
    assert code in result.error_message
    assert len(scene.token_requests()) == 1
    assert scene.requests() == []


def test_throttling_is_not_a_rejection(make_scene, stack):
    stack.zoho.control.settings(token_limit=0)
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.running_job()
    assert scene.check().error_type == "TokenRateLimited"
    before = len(scene.token_requests())
    assert scene.check().error_type == "TokenRateLimited"
    assert len(scene.token_requests()) == before, "another request within the window cannot succeed"


def test_a_failing_accounts_server_is_zoho_unavailable(make_scene, stack):
    stack.zoho.control.fault("server-error", times=99, side="accounts")
    scene = make_scene(REFRESH_TOKEN_SECRET)
    assert scene.check().error_type == "ZohoUnavailable"


def test_a_denied_write_of_the_label_is_a_warning(make_scene, stack):
    denied = stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="AccessDeniedException")
    with denied:
        scene = make_scene(REFRESH_TOKEN_SECRET)
        scene.running_job()
        assert scene.report()["status"] == "RUNNING"
        assert scene.report()["status"] == "RUNNING"
    assert len(scene.token_requests()) == 1
    line = scene.fn.wait_for_line(lambda line: '"WARN"' in line)
    assert "PutSecretValue" in line
    assert stored(scene, LABEL) is None


# ---- hosts -----------------------------------------------------------------------------------------


def test_the_api_host_comes_from_the_environment_first(make_scene, stack):
    scene = make_scene({**REFRESH_TOKEN_SECRET, "api_domain": "http://127.0.0.1:1"})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"


def test_the_api_host_comes_from_the_secret_next(make_scene, stack):
    stack.zoho.control.settings(token_api_domain="http://127.0.0.1:1")
    scene = make_scene({**REFRESH_TOKEN_SECRET, "api_domain": stack.zoho.url}, env={"ZOHO_API_DOMAIN": None})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"


def test_the_api_host_comes_from_the_token_response_next(make_scene, stack):
    scene = make_scene(REFRESH_TOKEN_SECRET, env={"ZOHO_API_DOMAIN": None})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"


def test_the_accounts_host_in_the_secret(make_scene, stack):
    secret = {**REFRESH_TOKEN_SECRET, "accounts_domain": stack.zoho.url}
    scene = make_scene(secret, env={"ZOHO_ACCOUNTS_DOMAIN": None})
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"


# ---- invalid secrets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        " ",
        '{"token": "1000.a.b"}',
        json.dumps({**REFRESH_TOKEN_SECRET, "client_secret": None}),
        json.dumps({**REFRESH_TOKEN_SECRET, "accounts_domain": "http://accounts.zoho.com"}),
    ],
)
def test_a_secret_in_no_known_form(make_scene, secret):
    scene = make_scene(secret)
    result = scene.check()
    assert result.error_type == "SecretInvalid"
    for value in (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, "1000.a.b"):
        assert value not in result.error_message
    assert scene.requests() == []


def test_a_corrected_secret_is_read_again(make_scene):
    scene = make_scene("{}")
    scene.running_job()
    assert scene.check().error_type == "SecretInvalid"
    scene.put_secret({"access_token": scene.issue_token()})
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


def test_a_secret_that_does_not_exist(make_scene):
    result = make_scene(env={"ZOHO_SECRET_ID": "no-such-secret"}).check()
    assert result.error_type == "SecretInvalid"
    assert "no-such-secret" in result.error_message


@pytest.mark.parametrize(
    ("code", "status", "error_type"),
    [
        ("AccessDeniedException", 400, "SecretInvalid"),
        ("DecryptionFailure", 400, "SecretInvalid"),
        ("InvalidRequestException", 400, "SecretInvalid"),
        ("ResourceNotFoundException", 400, "SecretInvalid"),
        ("ThrottlingException", 400, "SecretUnavailable"),
        ("InternalServiceError", 500, "SecretUnavailable"),
        ("ServiceUnavailable", 503, "SecretUnavailable"),
    ],
)
def test_errors_of_secrets_manager(make_scene, stack, code, status, error_type):
    with stack.fail_aws("secretsmanager", "GetSecretValue", status=status, code=code):
        scene = make_scene()
        result = scene.check()
    assert result.error_type == error_type
    assert scene.secret_id in result.error_message
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
