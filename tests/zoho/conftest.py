"""Fixtures of the simulator's tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from local.zoho_simulator import REFRESH_TOKEN_SECRET, Zoho, ZohoControl

STATUS = "/crm/v8/{}/actions/mass_change_owner?job_id={}"


@pytest.fixture(scope="session")
def running_zoho() -> Iterator[Zoho]:
    # The clock is stopped: only `advance` moves it.
    with Zoho(speed=0) as zoho:
        yield zoho


@pytest.fixture
def zoho(running_zoho: Zoho) -> Zoho:
    running_zoho.control.reset()
    return running_zoho


@pytest.fixture
def control(zoho: Zoho) -> ZohoControl:
    return zoho.control


@dataclass
class Http:
    """A plain HTTP client that adds nothing to a request, with a new connection for each."""

    zoho: Zoho
    token: str = ""
    timeout: float = 10

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> urllib3.BaseHTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with urllib3.PoolManager(retries=False, timeout=self.timeout) as pool:
            return pool.request(method, self.zoho.url + path, body=body, headers=named, redirect=False)

    def crm(
        self, method: str, path: str, body: Any = None, authorization: str | None = None
    ) -> urllib3.BaseHTTPResponse:
        """A request with a valid token, unless another Authorization is given ("" for none)."""
        authorization = f"Zoho-oauthtoken {self.token}" if authorization is None else authorization
        headers = {"Authorization": authorization} if authorization else {}
        return self.request(method, path, None if body is None else json.dumps(body), **headers)

    def status_of(self, job_id: str, module: str = "Leads", **more: Any) -> urllib3.BaseHTTPResponse:
        return self.crm("GET", STATUS.format(module, job_id), **more)

    def token_request(self, **form: str) -> urllib3.BaseHTTPResponse:
        """The refresh token grant of the default client, with some fields replaced."""
        form = {**REFRESH_TOKEN_SECRET, "grant_type": "refresh_token", **form}
        return self.request(
            "POST", "/oauth/v2/token", urlencode(form), Content_Type="application/x-www-form-urlencoded"
        )


@pytest.fixture
def http_client(zoho: Zoho) -> Http:
    return Http(zoho, zoho.control.issue_token())
