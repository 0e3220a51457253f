"""The simulator as Zoho's official SDK sees it: the SDK is unmodified and mints its own tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.zoho_simulator import DEFAULT_REFRESH_TOKEN, Zoho, ZohoControl

_PROGRAM = Path(__file__).with_name("official_client.py")
_ROOT = Path(__file__).parents[2]


class OfficialClient:
    """The SDK in its own process."""

    def __init__(self, zoho: Zoho, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), zoho.url, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )

    def __call__(self, *command: str) -> Any:
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        with self._process:
            self._process.stdin.close()


@pytest.fixture
def official_client(zoho: Zoho, tmp_path: Path) -> Iterator[OfficialClient]:
    client = OfficialClient(zoho, tmp_path)
    yield client
    client.close()


def test_starting_a_job_and_polling_it_until_it_ends(control: ZohoControl, official_client: OfficialClient) -> None:
    assert official_client("sign-in", DEFAULT_REFRESH_TOKEN) is None
    http, code, job_id = official_client("start", "Deals")
    assert (http, code) == (202, "SUCCESS")
    control.advance(30)
    assert official_client("status", "Deals", job_id) == [200, "RUNNING", 50_000, 25_000, 25_000, 0]
    control.advance(30)
    assert official_client("status", "Deals", job_id) == [200, "COMPLETED", 50_000, 50_000, 0, 0]
    stats = control.stats()
    assert (stats.requests, stats.tokens_minted) == ({"crm": 3, "accounts": 1}, 1)
    assert {record.scheme for record in stats.requests_to("crm")} == {"Zoho-oauthtoken"}


def test_every_other_response(control: ZohoControl, official_client: OfficialClient) -> None:
    """One client for all of them: loading the SDK takes longer than all of its requests."""
    assert official_client("sign-in", "1000.wrong")[0] == "SDKException"
    official_client("sign-in", DEFAULT_REFRESH_TOKEN)
    failing = control.start_job("Deals", total=10, shape="fails-half-way", failed=4)
    control.advance(60)
    assert official_client("status", "Deals", failing) == [200, "FAILED", 10, 3, 5, 2]
    # 204: no object, and no exception either. Errors are returned as objects, not raised.
    assert official_client("status", "Deals", "1") == [204, None]
    assert official_client("status", "Leads", failing) == [404, "APIException", None]
    assert official_client("status", "Leeds", failing) == [400, "APIException", "INVALID_MODULE"]
    control.settings(concurrency=0)
    assert official_client("status", "Deals", failing) == [429, "APIException", "TOO_MANY_REQUESTS"]
    control.settings(concurrency=20)
    # 401: the SDK neither refreshes the token nor raises.
    control.revoke(control.stats().requests_to("crm")[0].token)
    assert official_client("status", "Deals", failing) == [401, "APIException", "INVALID_TOKEN"]
