"""A plain HTTP client of the simulator that adds nothing to a request."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.zoho_simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, Zoho


@dataclass
class Response:
    """One response, as a plain HTTP client sees it."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Http:
    """Plain HTTP with a new connection for each request."""

    zoho: Zoho
    token: str = field(default="")

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> Response:
        address = urlsplit(self.zoho.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def crm(self, method: str, path: str, body: Any = None, authorization: str | None = None) -> Response:
        """A request with a valid token, unless another Authorization is given ("" for none)."""
        if authorization is None:
            authorization = f"Zoho-oauthtoken {self.token}"
        headers = {"Authorization": authorization} if authorization else {}
        return self.request(method, path, None if body is None else json.dumps(body), **headers)

    def status_of(self, job_id: str, module: str = "Leads", **more: Any) -> Response:
        return self.crm("GET", f"/crm/v8/{module}/actions/mass_change_owner?job_id={job_id}", **more)

    def mint(self, **form: str) -> Response:
        """The refresh token grant of the default client, with some fields replaced."""
        form = {
            "client_id": DEFAULT_CLIENT_ID,
            "client_secret": DEFAULT_CLIENT_SECRET,
            "refresh_token": DEFAULT_REFRESH_TOKEN,
            "grant_type": "refresh_token",
        } | form
        return self.form("/oauth/v2/token", form)

    def form(self, path: str, form: dict[str, str]) -> Response:
        return self.request("POST", path, urlencode(form), Content_Type="application/x-www-form-urlencoded")
