"""The accounts server over plain HTTP, and its limits. The marks in comments are explained in test_crm.py."""

from __future__ import annotations

import json

import pytest

from local.zoho_simulator import (
    CLIENT_CREDENTIALS_SECRET,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    REFRESH_TOKEN_SECRET,
    Zoho,
    ZohoControl,
)

from .conftest import Http

OF_AN_ORGANIZATION = {
    **CLIENT_CREDENTIALS_SECRET,
    "grant_type": "client_credentials",
    "scope": "ZohoCRM.change_owner.READ",
}
THROTTLE = {
    "error": "Access Denied",
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "status": "failure",
}


def test_a_refreshed_token_works(zoho: Zoho, http_client: Http) -> None:
    # access_token, api_domain, token_type: Bearer, expires_in: 3600 (sdk)
    response = http_client.token_request()
    assert response.status == 200
    content = response.json()
    http_client.token = content.pop("access_token")
    assert content == {"api_domain": zoho.url, "token_type": "Bearer", "expires_in": 3600}
    assert http_client.status_of(zoho.control.start_job()).status == 200


def test_client_credentials_get_the_requested_scope(control: ZohoControl, http_client: Http) -> None:
    # client_credentials, scope, soid; no refresh token (doc)
    response = http_client.token_request(**OF_AN_ORGANIZATION)
    assert "refresh_token" not in response.json()
    http_client.token = response.json()["access_token"]
    assert http_client.status_of(control.start_job()).status == 200
    start = http_client.crm("POST", "/crm/v8/Leads/actions/mass_change_owner", {})
    assert start.json()["code"] == "OAUTH_SCOPE_MISMATCH"


def test_other_forms_of_the_token_response(control: ZohoControl, http_client: Http) -> None:
    # expires_in_sec: 3600 with expires_in in milliseconds (doc)
    control.settings(legacy_expires_in=True, token_api_domain="")
    response = http_client.token_request().json()
    assert (response["expires_in_sec"], response["expires_in"]) == (3600, 3_600_000)
    assert "api_domain" not in response


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"refresh_token": "1000.wrong"}, "invalid_code"),
        ({"refresh_token": ""}, "invalid_code"),
        ({"client_id": "1000.WRONG"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({**OF_AN_ORGANIZATION, "soid": "ZohoCRM.1"}, "access_denied"),
        ({**OF_AN_ORGANIZATION, "scope": "ZohoCRM.users.READ"}, "invalid_scope"),
    ],
)
def test_errors_have_status_200_by_default(form, error, control: ZohoControl, http_client: Http) -> None:
    # Errors often come with HTTP 200 (3p)
    response = http_client.token_request(**form)
    assert (response.status, response.json()) == (200, {"error": error})
    assert control.stats().tokens_minted == 0
    control.settings(oauth_error_status=400)
    assert http_client.token_request(**form).status == 400


def test_only_a_form_body_is_accepted(http_client: Http) -> None:
    # Form body (sdk)
    body = json.dumps({**REFRESH_TOKEN_SECRET, "grant_type": "refresh_token"})
    as_json = http_client.request("POST", "/oauth/v2/token", body, Content_Type="application/json")
    assert as_json.json() == {"error": "invalid_client"}
    assert http_client.request("GET", "/oauth/v2/token").status == 405


def test_ten_tokens_in_ten_minutes_then_throttling(control: ZohoControl, http_client: Http) -> None:
    # 10 access tokens per refresh token in 10 minutes, then blocked for the rest of the window (doc); HTTP 400 (live)
    assert all("access_token" in http_client.token_request().json() for _ in range(10))
    control.advance(599)
    blocked = http_client.token_request()
    assert (blocked.status, blocked.json()) == (400, THROTTLE)
    control.add_client(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, refresh_token="1000.another")
    assert "access_token" in http_client.token_request(refresh_token="1000.another").json()
    control.advance(1)
    assert "access_token" in http_client.token_request().json()
    stats = control.stats()
    assert (stats.tokens_minted, stats.tokens_throttled) == (12, 1)


def test_only_the_last_fifteen_tokens_are_valid(control: ZohoControl, http_client: Http) -> None:
    # 15 valid at a time, beyond which the oldest is invalidated (doc)
    job_id = control.start_job()
    tokens = [http_client.token_request().json()["access_token"] for _ in range(10)]
    control.advance(600)
    tokens += [http_client.token_request().json()["access_token"] for _ in range(7)]
    assert control.stats().tokens_valid == 15
    responses = [http_client.status_of(job_id, authorization=f"Zoho-oauthtoken {token}").status for token in tokens]
    assert responses == [401] * 2 + [200] * 15
