"""The accounts server: who can have access tokens issued, which tokens are valid, and POST /oauth/v2/token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from aiohttp import web

from .records import RequestRecord
from .settings import Settings

TOKEN_PATH = "/oauth/v2/token"
DEFAULT_CLIENT_ID = "1000.SIMULATEDCLIENTID"
DEFAULT_CLIENT_SECRET = "simulated-client-secret"
DEFAULT_REFRESH_TOKEN = "1000.simulated.refresh-token"
DEFAULT_SOID = "ZohoCRM.700000001"
DEFAULT_SCOPE = "ZohoCRM.change_owner.READ,ZohoCRM.change_owner.CREATE"

_CLIENT = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET}
REFRESH_TOKEN_SECRET = {**_CLIENT, "refresh_token": DEFAULT_REFRESH_TOKEN, "data_center": "US"}
"""The default client as a secret of the function, for the refresh token grant."""
CLIENT_CREDENTIALS_SECRET = {**_CLIENT, "soid": DEFAULT_SOID, "data_center": "US"}
"""The same for the client credentials grant."""

# The limits of each grant.
_TOKENS, _WINDOW_SECONDS, _VALID_TOKENS = 10, 600, 15
_THROTTLED = {
    "error": "Access Denied",
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "status": "failure",
}


def new_token() -> str:
    """A text in the form of Zoho's tokens and codes."""
    return f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"


class OAuthError(Exception):
    """An error code of the accounts server, such as invalid_code."""


@dataclass(frozen=True)
class Client:
    """A registered client. A refresh token and an organization (soid) are one grant each."""

    client_id: str
    client_secret: str
    refresh_token: str | None = None
    soid: str | None = None
    scope: str = DEFAULT_SCOPE


@dataclass
class Token:
    """One access token. `grant` names what it was issued for; tokens issued directly have none, and no limits."""

    value: str
    scope: str
    expires_at: float
    grant: str | None = None
    revoked: bool = False

    def is_valid(self, now: float) -> bool:
        return not self.revoked and now < self.expires_at

    def allows(self, scope: str) -> bool:
        """Whether this token covers a scope such as ZohoCRM.change_owner.READ."""
        granted = self.scope.replace(",", " ").split()
        return scope in granted or f"{scope.rpartition('.')[0]}.ALL" in granted


@dataclass
class TokenIssuer:
    """All clients and tokens, with Zoho's limits per grant."""

    clients: list[Client] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    minted: int = 0
    _windows: dict[str, list[float]] = field(default_factory=dict)
    """By grant: when the window began, and how many tokens were issued in it."""

    def find(self, value: str, now: float) -> Token | None:
        """The valid token with that value."""
        token = self.tokens.get(value)
        return token if token is not None and token.is_valid(now) else None

    def issue(self, scope: str, expires_at: float, grant: str | None = None) -> Token:
        """Issue a token outside of every limit."""
        token = Token(new_token(), scope, expires_at, grant)
        self.tokens[token.value] = token
        return token

    def respond(self, request: RequestRecord, now: float, settings: Settings) -> web.Response:
        """Respond to one token request."""
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        try:
            token = self._token_for(request.path, request.form(), now, settings)
        except OAuthError as error:
            return web.json_response({"error": str(error)})
        if token is None:
            return web.json_response(_THROTTLED, status=400)
        hosts = {"api_domain": settings.token_api_domain, "token_type": "Bearer"}
        return web.json_response({"access_token": token.value, **hosts, "expires_in": settings.token_life_seconds})

    def _token_for(self, path: str, form: dict[str, str], now: float, settings: Settings) -> Token | None:
        """A token for the grant in a form; None beyond its limit."""
        clients = [client for client in self.clients if client.client_id == form.get("client_id")]
        if not clients:  # a body that is not a form has no client ID either
            raise OAuthError("invalid_client")
        clients = [client for client in clients if client.client_secret == form.get("client_secret")]
        if not clients:
            raise OAuthError("invalid_client_secret")
        grant = form.get("grant_type") if path == TOKEN_PATH else None
        if grant == "refresh_token":
            found = [one for one in clients if one.refresh_token and one.refresh_token == form.get("refresh_token")]
            if not found:
                raise OAuthError("invalid_code")
            return self._limited(found[0].refresh_token or "", found[0].scope, now, settings)
        if grant == "client_credentials":
            found = [one for one in clients if one.soid and one.soid == form.get("soid")]
            if not found:
                raise OAuthError("access_denied")
            wanted = form.get("scope", "").replace(",", " ").split()
            if not wanted or not all(Token("", found[0].scope, 0).allows(each) for each in wanted):
                raise OAuthError("invalid_scope")
            return self._limited(f"{found[0].client_id} {found[0].soid}", ",".join(wanted), now, settings)
        raise OAuthError("unsupported_grant_type")

    def _limited(self, grant: str, scope: str, now: float, settings: Settings) -> Token | None:
        """Issue a token within the limits of its grant; beyond the valid ones, the oldest is revoked."""
        window = self._windows.setdefault(grant, [now, 0])
        if now >= window[0] + _WINDOW_SECONDS:
            window[:] = [now, 0]
        if window[1] >= _TOKENS:
            return None
        window[1] += 1
        self.minted += 1
        valid = [token for token in self.tokens.values() if token.grant == grant and token.is_valid(now)]
        for oldest in valid[: max(0, len(valid) + 1 - _VALID_TOKENS)]:
            oldest.revoked = True
        return self.issue(scope, now + settings.token_life_seconds, grant)
