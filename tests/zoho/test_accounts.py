"""The accounts server over plain HTTP, and its limits. The marks in comments are explained in test_crm.py."""

from __future__ import annotations

import pytest

from local.zoho_simulator import (
    CLIENT_CREDENTIALS_SECRET,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    Zoho,
    ZohoControl,
)

from .conftest import Http

READ = "ZohoCRM.change_owner.READ"
OF_AN_ORGANIZATION = {**CLIENT_CREDENTIALS_SECRET, "grant_type": "client_credentials", "scope": READ}


@pytest.mark.parametrize("form", [{}, OF_AN_ORGANIZATION], ids=["refresh token", "client credentials"])
def test_an_issued_token_works(form, zoho: Zoho, http_client: Http) -> None:
    # access_token, api_domain, token_type: Bearer, expires_in: 3600 (sdk). Client credentials: no refresh token (doc)
    response = http_client.token_request(**form)
    assert response.status == 200
    content = response.json()
    http_client.token = content.pop("access_token")
    assert content == {"api_domain": zoho.url, "token_type": "Bearer", "expires_in": 3600}
    assert http_client.status_of(zoho.control.start_job()).status == 200
    start = http_client.crm("POST", "/crm/v8/Leads/actions/mass_change_owner", {})
    assert start.status == (401 if form else 202), "the scope that was requested"


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
def test_errors_have_status_200(form, error, control: ZohoControl, http_client: Http) -> None:
    # Errors often come with HTTP 200 (3p)
    response = http_client.token_request(**form)
    assert (response.status, response.json()) == (200, {"error": error})
    assert control.stats().tokens_minted == 0


def test_ten_tokens_in_ten_minutes_and_fifteen_valid_ones(control: ZohoControl, http_client: Http) -> None:
    # 10 access tokens per refresh token in 10 minutes, then blocked for the rest of the window (doc); HTTP 400 (live)
    tokens = [http_client.token_request().json()["access_token"] for _ in range(10)]
    control.advance(599)
    blocked = http_client.token_request()
    assert (blocked.status, blocked.json()["error"]) == (400, "Access Denied")
    control.add_client(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, refresh_token="1000.another")
    assert "access_token" in http_client.token_request(refresh_token="1000.another").json()
    control.advance(1)
    tokens += [http_client.token_request().json()["access_token"] for _ in range(7)]
    assert control.stats().tokens_minted == 18
    # 15 valid at a time, beyond which the oldest is invalidated (doc)
    job_id = control.start_job()
    responses = [http_client.status_of(job_id, authorization=f"Zoho-oauthtoken {token}").status for token in tokens]
    assert responses == [401] * 2 + [200] * 15
