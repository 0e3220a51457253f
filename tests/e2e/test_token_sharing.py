"""Fifty copies of the function, fifty real processes, and one token between them.

The figures of the run are left in target/test/token-sharing.md.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from local.wait import wait_until
from tests.e2e.scene import REFRESH_TOKEN_SECRET, Scene
from tests.e2e.tokens_bursts import (
    COPIES,
    LABEL,
    REQUEST,
    Burst,
    Table,
    burst,
    connected_to,
    put_under_label,
    versions,
)

REPLACEMENT = {"client_id": "1000.REPLACED", "client_secret": "replaced", "refresh_token": "1000.replaced.token"}


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    table = Table()
    yield table
    print("\n" + table.write())


@pytest.fixture
def make_copies(make_scene):
    """Many copies at Zoho's limits for tokens; its limit for calls at a time is another matter."""

    def make(**env: str | None) -> Scene:
        scene = make_scene(REFRESH_TOKEN_SECRET, env=env, concurrency=COPIES + 1)
        scene.zoho.settings(concurrency=COPIES)
        scene.running_job()
        return scene

    return make


@pytest.fixture
def scene(make_copies) -> Iterator[Scene]:
    scene = make_copies()
    current = versions(scene)["AWSCURRENT"]
    yield scene
    assert versions(scene)["AWSCURRENT"] == current, "the operator's version is never touched"


def assert_all_good(burst: Burst) -> None:
    assert [answer.error_message for answer in burst.answers if not answer.ok] == []


def tokens_used(scene: Scene) -> set[str]:
    return {request.token for request in scene.requests()}


def expires_at(scene: Scene) -> float:
    """When the shared token ends, by this machine's clock."""
    secrets = scene.stack.client("secretsmanager")
    text = secrets.get_secret_value(SecretId=scene.secret_id, VersionStage=LABEL)["SecretString"]
    return datetime.fromisoformat(json.loads(text)["expires_at"].replace("Z", "+00:00")).timestamp()


def test_copies_that_start_in_one_instant_mint_one_token(scene, table):
    cold = burst(scene)
    assert_all_good(cold)
    assert scene.fn.cold_starts == COPIES
    assert cold.token_requests == 1
    assert len(tokens_used(scene)) == 1
    table.add("all start at once, no token at hand", cold)


def test_copies_that_find_a_token_ask_for_none(scene, table):
    burst(scene, 1)
    scene.fn.environments[0].kill()
    cold = burst(scene)
    assert_all_good(cold)
    assert (cold.token_requests, cold.writes) == (0, 0)
    table.add("all start at once, a token is shared", cold)


def test_copies_whose_token_is_revoked_mint_one_more(scene, table):
    burst(scene)
    scene.zoho.revoke(scene.requests()[0].token)
    warm = burst(scene)
    assert_all_good(warm)
    assert scene.fn.cold_starts == COPIES
    assert warm.token_requests == 1
    table.add("the shared token is revoked, all are refused at once", warm)


def test_copies_whose_token_ends_mint_one_more(scene, table):
    scene.zoho.settings(token_life_seconds=20)
    burst(scene)
    end = expires_at(scene)
    before = len(tokens_used(scene))
    wait_until(lambda: time.time() >= end, "the end of the shared token")
    warm = burst(scene)
    assert_all_good(warm)
    assert scene.fn.cold_starts == COPIES
    assert warm.token_requests == 1
    assert len(tokens_used(scene)) == before + 1
    table.add("the shared token ends, all are called at once", warm)


def test_a_holder_that_is_killed_in_mid_mint_is_replaced(make_copies, table):
    # Without ZOHO_API_DOMAIN nobody connects to Zoho but for a token; a short time-out makes a short lease.
    scene = make_copies(ZOHO_API_DOMAIN=None, REQUEST_TIMEOUT_SECONDS="4")
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
    assert len(cold.good) == COPIES - 1
    assert cold.token_requests == 2
    assert len(tokens_used(scene)) == 1
    table.add("all start at once, the one that mints is killed in mid-mint", cold)


def test_credentials_that_are_replaced_in_mid_mint(make_copies, table):
    scene = make_copies()
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
    table.add("all start at once, the credentials are replaced in mid-mint", cold)


def test_a_token_of_replaced_credentials_is_not_used(make_copies):
    scene = make_copies()
    burst(scene, 1)
    (old,) = tokens_used(scene)
    scene.zoho.add_client(**REPLACEMENT)
    scene.put_secret(REPLACEMENT)
    scene.fn.environments[0].kill()
    assert_all_good(burst(scene, 5))
    assert [request.token for request in scene.requests()].count(old) == 1
    assert len(scene.token_requests()) == 2


def test_zohos_throttle_answer_is_asked_for_once(scene, table):
    scene.zoho.settings(token_limit=0)
    cold = burst(scene)
    assert (cold.errors, cold.good) == (["TokenRateLimited"], [])
    assert cold.token_requests == 1
    table.add("all start at once, Zoho throttles", cold)

    again = burst(scene)
    assert (again.errors, again.good) == (["TokenRateLimited"], [])
    assert again.token_requests == 0, "nobody asks again within the window"

    token = scene.zoho.issue_token()
    put_under_label(scene, json.dumps({"access_token": token, "expires_at": int(time.time()) + 3600}))
    assert_all_good(burst(scene))
    assert tokens_used(scene) == {token}


def test_a_lost_answer_of_secrets_manager_costs_no_second_token(scene, stack, table):
    with stack.fail_aws("secretsmanager", "PutSecretValue", times=10, status=None, lose_response=True):
        cold = burst(scene)
    assert_all_good(cold)
    assert cold.token_requests == 1
    table.add("all start at once, ten answers of Secrets Manager get lost", cold)


def test_garbage_under_the_label_is_replaced_with_a_warning(scene, table):
    put_under_label(scene, "garbage")
    cold = burst(scene)
    assert_all_good(cold)
    assert cold.token_requests == 1
    assert LABEL in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
    table.add("all start at once, garbage under the label", cold)


def test_a_throttled_secrets_manager_makes_nobody_mint(scene, stack):
    throttled = stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="ThrottlingException")
    with throttled:
        answer = scene.fn.invoke(REQUEST, timeout=4)
        assert answer.error_type in ("TokenRateLimited", "SecretUnavailable")
        assert scene.token_requests() == []
    assert_all_good(burst(scene, 1))


def test_where_each_copy_mints_for_itself_zoho_turns_most_of_them_away(scene, stack, table):
    """What sharing saves: the same copies with the right to write taken away."""
    with stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="AccessDeniedException"):
        cold = burst(scene)
    assert cold.token_requests == COPIES
    assert (cold.tokens_minted, len(cold.good)) == (10, 10)
    assert cold.errors == ["TokenRateLimited"]
    assert "PutSecretValue" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
    table.add("the same, each copy for itself", cold)
