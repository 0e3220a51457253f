"""Fifty execution environments (fifty real processes) share one access token.

The figures of the run are written to target/test/token-sharing.md.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from local.wait import wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.bursts import (
    ENVIRONMENTS,
    LABEL,
    REQUEST,
    Burst,
    Table,
    burst,
    connected_to,
    put_under_label,
    versions,
)
from tests.e2e.scene import Scene

REPLACEMENT = {"client_id": "1000.REPLACED", "client_secret": "replaced", "refresh_token": "1000.replaced.token"}


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    table = Table()
    yield table
    print("\n" + table.write())


@pytest.fixture
def make_shared(make_scene):
    """Create functions that can have all environments, with Zoho's limits for tokens but not for concurrency."""

    def make(**env: str | None) -> Scene:
        scene = make_scene(REFRESH_TOKEN_SECRET, env=env, concurrency=ENVIRONMENTS + 1)
        scene.zoho.settings(concurrency=ENVIRONMENTS)
        scene.running_job()
        return scene

    return make


@pytest.fixture
def scene(make_shared) -> Iterator[Scene]:
    scene = make_shared()
    current = versions(scene)["AWSCURRENT"]
    yield scene
    assert versions(scene)["AWSCURRENT"] == current, "the version with the credentials is never written"


def assert_all_good(burst: Burst) -> None:
    assert [response.error_message for response in burst.responses if not response.ok] == []


def tokens_used(scene: Scene) -> set[str]:
    return {request.token for request in scene.requests()}


def expires_at(scene: Scene) -> float:
    """When the shared token expires, on this machine's clock."""
    secrets = scene.stack.client("secretsmanager")
    text = secrets.get_secret_value(SecretId=scene.secret_id, VersionStage=LABEL)["SecretString"]
    return datetime.fromisoformat(json.loads(text)["expires_at"].replace("Z", "+00:00")).timestamp()


def test_simultaneous_cold_starts_mint_one_token(scene, table):
    cold = burst(scene)
    assert_all_good(cold)
    assert scene.fn.cold_starts == ENVIRONMENTS
    assert cold.token_requests == 1
    assert len(tokens_used(scene)) == 1
    table.add("all start, no token is shared", cold)


def test_environments_that_find_a_token_request_none(scene, table):
    burst(scene, 1)
    scene.fn.environments[0].kill()
    cold = burst(scene)
    assert_all_good(cold)
    assert (cold.token_requests, cold.writes) == (0, 0)
    table.add("all start, a token is shared", cold)


def test_a_revoked_token_is_replaced_once(scene, table):
    burst(scene)
    scene.zoho.revoke(scene.requests()[0].token)
    warm = burst(scene)
    assert_all_good(warm)
    assert scene.fn.cold_starts == ENVIRONMENTS
    assert warm.token_requests == 1
    table.add("the shared token is revoked, Zoho rejects all of them", warm)


def test_an_expired_token_is_replaced_once(scene, table):
    scene.zoho.settings(token_life_seconds=8)
    burst(scene)
    end = expires_at(scene)
    before = len(tokens_used(scene))
    # So short a life is not taken at its word: the token is used until Zoho rejects it.
    wait_until(lambda: time.time() >= end + 2, "the end of the shared token")
    warm = burst(scene)
    assert_all_good(warm)
    assert scene.fn.cold_starts == ENVIRONMENTS
    assert warm.token_requests == 1
    assert len(tokens_used(scene)) == before + 1
    table.add("the shared token expires, all are invoked", warm)


def test_a_lease_holder_that_is_killed_is_replaced(make_shared, table):
    # Without ZOHO_API_DOMAIN, only a token request connects to Zoho; a short timeout makes a short lease.
    scene = make_shared(ZOHO_API_DOMAIN=None, REQUEST_TIMEOUT_SECONDS="4")
    scene.zoho.fault("stall", side="accounts")
    killed: list[int] = []

    def kill_the_holder() -> None:
        wait_until(scene.token_requests, "the first request for a token")
        by_pid = {environment.pid: environment for environment in scene.fn.environments if environment.alive}
        killed.extend(connected_to(scene.stack.zoho.url, list(by_pid)))
        for pid in killed:
            by_pid[pid].kill()

    killer = threading.Thread(target=kill_the_holder)
    killer.start()
    cold = burst(scene)
    killer.join()

    assert len(killed) == 1
    assert cold.errors == ["Runtime.ExitError"]
    assert len(cold.good) == ENVIRONMENTS - 1
    assert cold.token_requests == 2
    assert len(tokens_used(scene)) == 1
    table.add("all start, the one that mints is killed while it waits for Zoho", cold)


def test_credentials_that_are_replaced_while_a_token_is_minted(make_shared, table):
    scene = make_shared()
    scene.zoho.add_client(**REPLACEMENT)
    scene.zoho.fault("delay", side="accounts", seconds=1.5)

    def replace() -> None:
        wait_until(scene.token_requests, "the first request for a token")
        scene.put_secret(REPLACEMENT)

    operator = threading.Thread(target=replace)
    operator.start()
    cold = burst(scene)
    operator.join()

    assert_all_good(cold)
    first, second = scene.token_requests()
    assert "client_id=1000.REPLACED" not in first.body
    assert "client_id=1000.REPLACED" in second.body
    assert len(tokens_used(scene)) == 1
    secrets = scene.stack.client("secretsmanager")
    assert json.loads(secrets.get_secret_value(SecretId=scene.secret_id)["SecretString"]) == REPLACEMENT
    table.add("all start, the credentials are replaced while one mints", cold)


def test_a_token_of_replaced_credentials_is_not_used(make_shared):
    scene = make_shared()
    burst(scene, 1)
    (old,) = tokens_used(scene)
    scene.zoho.add_client(**REPLACEMENT)
    scene.put_secret(REPLACEMENT)
    scene.fn.environments[0].kill()
    assert_all_good(burst(scene, 5))
    assert [request.token for request in scene.requests()].count(old) == 1
    assert len(scene.token_requests()) == 2


def test_throttled_credentials_are_tried_once(scene, table):
    scene.zoho.settings(token_limit=0)
    cold = burst(scene)
    assert (cold.errors, cold.good) == (["TokenRateLimited"], [])
    assert cold.token_requests == 1
    table.add("all start, Zoho throttles", cold)

    again = burst(scene)
    assert (again.errors, again.good) == (["TokenRateLimited"], [])
    assert again.token_requests == 0, "no request within the window"

    token = scene.zoho.issue_token()
    put_under_label(scene, json.dumps({"access_token": token, "expires_at": int(time.time()) + 3600}))
    assert_all_good(burst(scene))
    assert tokens_used(scene) == {token}


def test_lost_responses_of_secrets_manager_cost_no_second_token(scene, stack, table):
    with stack.fail_aws("secretsmanager", "PutSecretValue", times=10, status=None, lose_response=True):
        cold = burst(scene)
    assert_all_good(cold)
    assert cold.token_requests == 1
    table.add("all start, ten responses of Secrets Manager are lost", cold)


def test_garbage_under_the_label_is_replaced_with_a_warning(scene, table):
    put_under_label(scene, "garbage")
    cold = burst(scene)
    assert_all_good(cold)
    assert cold.token_requests == 1
    assert LABEL in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
    table.add("all start, the label has garbage", cold)


def test_no_token_is_minted_while_secrets_manager_throttles(scene, stack):
    throttled = stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="ThrottlingException")
    with throttled:
        result = scene.fn.invoke(REQUEST, timeout=4)
        assert result.error_type == "SecretUnavailable"
        assert scene.token_requests() == []
    assert_all_good(burst(scene, 1))


def test_without_sharing_zoho_throttles_most_environments(scene, stack, table):
    """The benefit of sharing: the same burst without the permission to write."""
    with stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="AccessDeniedException"):
        cold = burst(scene)
    assert cold.token_requests == ENVIRONMENTS
    assert (cold.tokens_minted, len(cold.good)) == (10, 10)
    assert cold.errors == ["TokenRateLimited"]
    assert "PutSecretValue" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
    table.add("all start, none may share", cold)
