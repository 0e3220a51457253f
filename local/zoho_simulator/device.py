"""How a client gets a refresh token: the device flow, and the one-time code of a self client. Pure.

Source: docs/zoho-api.md, "OAuth". A test says how the person at the browser acts, as a list of answers to polls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .oauth import DEFAULT_SCOPE, TOKEN_PATH, Client, TokenIssuer, new_token

BEGIN_PATH, POLL_PATH = "/oauth/v3/device/code", "/oauth/v3/device/token"

_GRANTS = {BEGIN_PATH: "device_request", POLL_PATH: "device_token", TOKEN_PATH: "authorization_code"}


@dataclass
class _Pending:
    scope: str
    ends: float
    polled_at: float | None = None


@dataclass
class Logins:
    """The logins in progress."""

    answers: list[Any] = field(default_factory=list)
    """To the next polls: an error, or whole response bodies. After them, the person has accepted."""
    interval: float = 5.0
    """Seconds between two polls; sooner ones get `slow_down`."""
    life: float = 300.0
    """How many seconds a code is valid."""
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def code(self, now: float, scope: str = DEFAULT_SCOPE) -> str:
        """A code for a self client, as the API console generates it."""
        code = new_token()
        self._pending[code] = _Pending(scope, now + self.life)
        return code

    def respond(self, path: str, form: Mapping[str, str], issuer: TokenIssuer, now: float) -> dict[str, Any] | None:
        """The body of the response; `None` if the request is not one of a login."""
        if form.get("grant_type") != _GRANTS.get(path):
            return None
        client = next((each for each in issuer.clients if each.client_id == form.get("client_id")), None)
        if client is None:
            return {"error": "invalid_client"}
        if path == BEGIN_PATH:
            if not form.get("scope", "").startswith("ZohoCRM."):
                return {"error": "invalid_scope"}
            url = "https://accounts.zoho.com/oauth/v3/device"
            times = {"interval": int(self.interval * 1000), "expires_in": int(self.life * 1000)}
            code = self.code(now, form["scope"])
            return {"device_code": code, "user_code": "WDJB-MJHT", "verification_url": url, **times}
        if client.client_secret != form.get("client_secret"):
            return {"error": "invalid_client_secret"}
        pending = self._pending.get(form.get("code", ""))
        if pending is None:
            return {"error": "invalid_code"}
        if now > pending.ends:
            return {"error": "expired" if path == POLL_PATH else "invalid_code"}
        if path == POLL_PATH:
            too_soon = pending.polled_at is not None and now - pending.polled_at < self.interval * 0.9
            pending.polled_at = now
            if too_soon:
                return {"error": "slow_down"}
            if self.answers:
                answer = self.answers.pop(0)
                return {"error": answer} if isinstance(answer, str) else answer
        del self._pending[form["code"]]
        token = new_token()
        issuer.clients.append(Client(client.client_id, client.client_secret, token, scope=pending.scope))
        access_token = issuer.issue(pending.scope, now + 3600).value
        return {"access_token": access_token, "refresh_token": token, "token_type": "Bearer", "expires_in": 3600}
