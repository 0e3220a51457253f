"""25 execution environments (25 real processes) share one access token.

tests/token_sharing has what can happen; here is what only the packaged binary, the AWS SDK, and real processes show.
"""

from __future__ import annotations

import pytest

from local.stack import Invocation
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.scene import JOB_ID, Scene

ENVIRONMENTS = 25
REQUEST = {"module": "Leads", "job_id": JOB_ID}


@pytest.fixture
def scene(make_scene) -> Scene:
    """A function that can have all environments, with Zoho's limits for tokens but not for concurrency."""
    scene = make_scene(REFRESH_TOKEN_SECRET, concurrency=ENVIRONMENTS)
    scene.zoho.settings(concurrency=ENVIRONMENTS)
    scene.running_job()
    return scene


def burst(scene: Scene, environments: int = ENVIRONMENTS) -> tuple[list[Invocation], int]:
    """Invoke in so many environments at the same moment: the responses, and the number of requests for a token."""
    before = len(scene.token_requests())
    responses = scene.fn.invoke_together([REQUEST] * environments)
    return responses, len(scene.token_requests()) - before


def versions(scene: Scene) -> dict[str, str]:
    """The version with each label."""
    secret = scene.stack.client("secretsmanager").describe_secret(SecretId=scene.secret_id)
    return {label: version for version, labels in secret["VersionIdsToStages"].items() for label in labels}


def tokens_used(scene: Scene) -> set[str]:
    return {request.token for request in scene.requests()}


def test_a_burst_requests_one_token_and_replaces_it_once(scene):
    current = versions(scene)["AWSCURRENT"]
    for tokens in (1, 2):
        responses, requests = burst(scene)
        assert [response.error_message for response in responses if not response.ok] == []
        assert (scene.fn.cold_starts, requests, len(tokens_used(scene))) == (ENVIRONMENTS, 1, tokens)
        if tokens == 1:
            lease, token = (f"zoho-access-token-record-000000000{number}" for number in (1, 2))
            assert versions(scene).items() >= {("ZOHO_TOKEN_LEASE", lease), ("ZOHO_ACCESS_TOKEN", token)}
            scene.zoho.revoke(scene.requests()[0].token)
    assert versions(scene)["AWSCURRENT"] == current, "the version with the credentials is never written"


def test_a_secret_that_cannot_be_written_costs_a_token_for_each_environment(scene, stack):
    with stack.fail_aws("secretsmanager", "PutSecretValue", status=400, code="AccessDeniedException"):
        for _ in range(2):
            assert all(response.ok for response in burst(scene, 2)[0])
    assert (scene.fn.cold_starts, len(scene.token_requests())) == (2, 2)
    assert "not shared" in scene.fn.wait_for_line(lambda line: '"WARN"' in line)
