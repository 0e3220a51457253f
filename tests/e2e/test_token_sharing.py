"""Fifty copies of the function, fifty real processes, and one token between them."""

from __future__ import annotations

import json

import pytest

from local.stack.function import wait_until
from tests.e2e.scene import JOB_ID, REFRESH_TOKEN_SECRET, Scene

COPIES = 50
REQUEST = {"module": "Leads", "job_id": JOB_ID}


@pytest.fixture
def scene(make_scene) -> Scene:
    """Many copies at Zoho's limits for tokens; its limit for calls at a time is another matter."""
    scene = make_scene(REFRESH_TOKEN_SECRET, concurrency=COPIES + 1)
    scene.zoho.settings(concurrency=COPIES)
    scene.running_job()
    return scene


def check_together(scene: Scene, copies: int = COPIES) -> None:
    answers = scene.fn.invoke_together([REQUEST] * copies)
    assert [answer.error_message for answer in answers if not answer.ok] == []


def test_copies_that_start_in_one_instant_mint_one_token(scene):
    check_together(scene)
    assert scene.fn.cold_starts == COPIES
    assert len(scene.token_requests()) == 1
    assert len({request.token for request in scene.requests()}) == 1


def test_copies_whose_token_is_revoked_mint_one_more(scene):
    check_together(scene)
    scene.zoho.revoke(scene.requests()[0].token)
    check_together(scene)
    assert scene.fn.cold_starts == COPIES
    assert len(scene.token_requests()) == 2


def test_a_copy_that_dies_while_it_mints_is_replaced(scene):
    scene.zoho.fault("stall", on="accounts")
    scene.fn.invoke_event(REQUEST)
    wait_until(scene.token_requests, 10, "the first copy to ask for a token")
    scene.fn.environments[0].kill()
    check_together(scene)
    assert len(scene.token_requests()) == 2


def test_a_token_of_replaced_credentials_is_not_used(scene):
    check_together(scene, 1)
    old = scene.requests()[0].token
    replacement = {"client_id": "1000.REPLACED", "client_secret": "replaced", "refresh_token": "1000.replaced.token"}
    scene.zoho.add_client(**replacement)
    scene.put_secret(replacement)
    scene.fn.environments[0].kill()

    check_together(scene, 5)

    assert [request.token for request in scene.requests()].count(old) == 1
    first, second = scene.token_requests()
    assert "client_id=1000.REPLACED" not in first.body
    assert "client_id=1000.REPLACED" in second.body
    current = scene.stack.client("secretsmanager").get_secret_value(SecretId=scene.secret_id)["SecretString"]
    assert json.loads(current) == replacement
