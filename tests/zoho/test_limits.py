"""The limits of the CRM API: credits, concurrency, and the responses beyond them. test_crm.py explains the marks."""

from __future__ import annotations

from typing import Any

import pytest

from local.wait import wait_until
from local.zoho_simulator import Zoho, ZohoControl

from .plain_http import Http
from .status_call import StatusCall


def test_daily_credits(control: ZohoControl, http_client: Http) -> None:
    # Each request costs one credit (doc); X-API-CREDITS-REMAINING once half of them are used (3p); then 429 (doc, oas)
    job_id = control.start_job()
    control.settings(daily_credits=4)
    responses = [http_client.status_of(job_id) for _ in range(5)]
    assert [response.status for response in responses] == [200] * 4 + [429]
    assert [response.headers["X-API-CREDITS-REMAINING"] for response in responses] == [None, "2", "1", "0", None]
    assert responses[-1].json()["code"] == "TOO_MANY_REQUESTS"
    # No documented Retry-After; one generic sample has details.retry_after (oas)
    assert (responses[-1].headers["Retry-After"], responses[-1].json()["details"]) == (None, {})
    control.advance(86_400)
    http_client.token = control.issue_token()
    assert http_client.status_of(job_id).status == 200


@pytest.mark.parametrize(
    ("settings", "status", "header", "details"),
    [
        ({}, 429, None, {}),
        # Rate limits have been reported with HTTP 400 (3p)
        ({"rate_limit_status": 400}, 400, None, {}),
        ({"retry_after": 7}, 429, "7", {"retry_after": 7}),
        ({"retry_after": 7, "retry_after_in": "header"}, 429, "7", {}),
        ({"retry_after": 7, "retry_after_in": "details"}, 429, None, {"retry_after": 7}),
        ({"retry_after": 0, "retry_after_in": "details", "rate_limit_status": 400}, 400, None, {"retry_after": 0}),
    ],
)
@pytest.mark.parametrize("limit", ["daily_credits", "concurrency"])
def test_the_forms_of_a_rate_limit(
    limit: str,
    settings: dict[str, Any],
    status: int,
    header: str | None,
    details: dict[str, Any],
    control: ZohoControl,
    http_client: Http,
) -> None:
    # TOO_MANY_REQUESTS for both limits (oas)
    control.settings(**{limit: 0}, **settings)
    response = http_client.status_of("1")
    assert (response.status, response.headers["Retry-After"]) == (status, header)
    assert (response.json()["code"], response.json()["details"]) == ("TOO_MANY_REQUESTS", details)


def test_the_concurrency_limit(control: ZohoControl, zoho: Zoho, http_client: Http) -> None:
    # 429 TOO_MANY_REQUESTS also for exceeded concurrency (oas)
    control.settings(concurrency=2)
    control.fault("stall", times=2)
    stalled = [StatusCall(zoho), StatusCall(zoho)]
    for call in stalled:
        call.ask()
    wait_until(lambda: control.stats().requests["crm"] == 2, "both requests")
    rejected = http_client.status_of("1")
    assert (rejected.status, rejected.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    for call in stalled:
        call.connection.close()
    wait_until(lambda: http_client.status_of("1").status == 204, "the end of both requests")
