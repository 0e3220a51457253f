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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


@pytest.fixture
def official_client(zoho: Zoho, tmp_path: Path) -> Iterator[OfficialClient]:
    client = OfficialClient(zoho, tmp_path)
    yield client
    client.close()


def test_starting_a_job_and_polling_it_until_it_ends(control: ZohoControl, official_client: OfficialClient) -> None:
    assert official_client("sign-in", DEFAULT_REFRESH_TOKEN) is None
    control.settings(posted_job={"total": 50_000, "queue_seconds": 30, "run_seconds": 60, "failed": 500})
    started = official_client("start", "Deals")
    job_id = started["details"]["job_id"]
    assert started == {
        "http": 202,
        "object": "ActionWrapper",
        "element": "SuccessResponse",
        "code": "SUCCESS",
        "details": {"id": job_id, "job_id": job_id},
    }
    seen: list[Any] = []
    while not seen or seen[-1]["status"] not in ("COMPLETED", "FAILED"):
        seen.append(official_client("status", "Deals", str(job_id)))
        control.advance(30)
    assert [response["status"] for response in seen] == ["SCHEDULED", "RUNNING", "RUNNING", "COMPLETED"]
    assert seen[-1] == {
        "http": 200,
        "object": "ResponseWrapper",
        "element": "Status",
        "status": "COMPLETED",
        "counts": [50_000, 49_500, 0, 500],
    }
    stats = control.stats()
    assert stats.requests == {"crm": 5, "accounts": 1}
    assert stats.tokens_minted == 1
    assert {record.scheme for record in stats.requests_to("crm")} == {"Zoho-oauthtoken"}


def test_every_other_response(control: ZohoControl, official_client: OfficialClient) -> None:
    """One client for all of them: loading the SDK takes longer than all of its requests."""
    official_client("sign-in", DEFAULT_REFRESH_TOKEN)
    failing = control.start_job("Deals", total=10, shape="fails-half-way", failed=4)
    control.advance(60)
    failed = official_client("status", "Deals", failing)
    assert (failed["object"], failed["status"], failed["counts"]) == ("ResponseWrapper", "FAILED", [10, 3, 5, 2])

    # 204: no object, and no exception either.
    assert official_client("status", "Deals", "1") == {"http": 204, "object": None}

    # A job that is SCHEDULED without counts until it is COMPLETED.
    hidden = control.start_job("Deals", total=10, run_seconds=60, shows_progress=False)
    seen = []
    for _ in range(3):
        response = official_client("status", "Deals", hidden)
        seen.append((response["status"], response["counts"]))
        control.advance(30)
    assert seen == [("SCHEDULED", [None] * 4), ("SCHEDULED", [None] * 4), ("COMPLETED", [10, 10, 0, 0])]

    control.settings(concurrency=0)
    limited = official_client("status", "Deals", failing)
    assert (limited["http"], limited["object"], limited["code"]) == (429, "APIException", "TOO_MANY_REQUESTS")
    control.settings(concurrency=20)

    # 404 and 400 are returned as APIException objects, not raised; details for which the SDK has no key are lost.
    assert official_client("status", "Deals") == {
        "http": 404,
        "object": "APIException",
        "code": "REQUIRED_PARAM_MISSING",
        "details": {},
    }
    other_module = official_client("status", "Leads", failing)
    assert (other_module["http"], other_module["object"], other_module["code"]) == (404, "APIException", None)
    unknown_module = official_client("status", "Leeds", failing)
    assert (unknown_module["http"], unknown_module["code"]) == (400, "INVALID_MODULE")

    # 403
    control.settings(forbidden_modules=["Deals"])
    forbidden = official_client("status", "Deals", failing)
    assert (forbidden["http"], forbidden["code"]) == (403, "NO_PERMISSION")
    control.settings(forbidden_modules=[])

    # 500 with JSON is another APIException; only the status of an HTML page is kept.
    control.respond(500, body={"code": "INTERNAL_ERROR", "details": {}, "message": "m", "status": "error"})
    broken = official_client("status", "Deals", failing)
    assert (broken["http"], broken["object"], broken["code"]) == (500, "APIException", "INTERNAL_ERROR")
    control.respond(502, {"Content-Type": "text/html"}, "<html>")
    assert official_client("status", "Deals", failing) == {"http": 502, "object": None}

    # 401: the SDK neither refreshes the token nor raises.
    (token,) = {record.token for record in control.stats().requests_to("crm")}
    control.revoke(token)
    rejected = official_client("status", "Deals", failing)
    assert (rejected["http"], rejected["object"], rejected["code"]) == (401, "APIException", "INVALID_TOKEN")
    assert control.stats().tokens_minted == 1


def test_refused_credentials(official_client: OfficialClient) -> None:
    rejected = official_client("sign-in", "1000.wrong")
    assert rejected["raised"] == "SDKException"
    assert "invalid_code" in rejected["message"]
