"""25 execution environments (25 real processes) share one access token.

tests/token_sharing has what can happen; here is what only the packaged binary, the AWS SDK, and real processes show.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from local.wait import wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.bursts import ENVIRONMENTS, LABEL, REQUEST, Burst, burst, connected_to, versions
from tests.e2e.scene import Scene


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


def test_a_burst_requests_one_token_and_replaces_it_once(scene):
    cold = burst(scene)
    assert_all_good(cold)
    assert scene.fn.cold_starts == ENVIRONMENTS
    assert cold.token_requests == 1
    assert len(tokens_used(scene)) == 1
    assert versions(scene)[LABEL] == ["zoho-access-token-record-0000000002"]
    assert versions(scene)["ZOHO_TOKEN_LEASE"] == ["zoho-access-token-record-0000000001"]

    scene.zoho.revoke(scene.requests()[0].token)
    warm = burst(scene)
    assert_all_good(warm)
    assert scene.fn.cold_starts == ENVIRONMENTS
    assert warm.token_requests == 1
    assert len(tokens_used(scene)) == 2


def test_an_environment_that_finds_a_token_requests_none(scene):
    burst(scene, 1)
    scene.fn.environments[0].kill()
    cold = burst(scene, 5)
    assert_all_good(cold)
    assert (cold.token_requests, cold.writes) == (0, 0)


def test_a_holder_that_is_killed_is_replaced(make_shared):
    # Without ZOHO_API_DOMAIN, only a token request connects to Zoho.
    scene = make_shared(ZOHO_API_DOMAIN=None)
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
    assert cold.seconds < 20


def test_lost_responses_of_secrets_manager_cost_no_second_token(scene, stack):
    with stack.fail_aws("secretsmanager", "PutSecretValue", times=10, status=None, lose_response=True):
        cold = burst(scene)
    assert_all_good(cold)
    assert cold.token_requests == 1


def test_no_token_is_requested_while_secrets_manager_throttles(scene, stack):
    with stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="ThrottlingException"):
        result = scene.fn.invoke(REQUEST, timeout=4)
        assert result.error_type == "SecretUnavailable"
        assert scene.token_requests() == []
    assert_all_good(burst(scene, 1))


@pytest.mark.parametrize("code", ["AccessDeniedException", "LimitExceededException"])
def test_a_secret_that_cannot_be_written_costs_a_token_for_each_environment(scene, stack, code):
    with stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code=code):
        for _ in range(2):
            cold = burst(scene, 2)
            assert_all_good(cold)
    assert scene.fn.cold_starts == 2
    assert len(scene.token_requests()) == 2
    assert "not shared" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
