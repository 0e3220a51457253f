"""OAuth state: who can mint access tokens, and which tokens are valid."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from .settings import Settings

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


class OAuthError(Exception):
    """An error code of the accounts server, such as invalid_code."""


class Throttled(Exception):
    """Too many tokens were requested in the current window."""


@dataclass(frozen=True)
class Client:
    """A registered client. A refresh token and an organization (soid) are one grant each."""

    client_id: str
    client_secret: str
    refresh_token: str | None
    soid: str | None
    scope: str


@dataclass
class Token:
    """One access token. `grant` names what it was minted from; tokens issued directly have none, and no limits."""

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
class _Window:
    started_at: float
    minted: int = 0


@dataclass
class TokenIssuer:
    """All clients and tokens, with Zoho's limits per grant."""

    clients: dict[str, list[Client]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    minted: int = 0
    throttled: int = 0
    _windows: dict[str, _Window] = field(default_factory=dict)

    def add_client(self, client: Client) -> None:
        self.clients.setdefault(client.client_id, []).append(client)

    def refresh(self, client_id: str, client_secret: str, refresh_token: str, now: float, settings: Settings) -> Token:
        """The refresh-token grant. Raises OAuthError or Throttled."""
        clients = self._authenticated(client_id, client_secret)
        client = next((each for each in clients if refresh_token and each.refresh_token == refresh_token), None)
        if client is None:
            raise OAuthError("invalid_code")
        return self._mint(refresh_token, client.scope, now, settings)

    def client_credentials(
        self, client_id: str, client_secret: str, soid: str, scope: str, now: float, settings: Settings
    ) -> Token:
        """The client-credentials grant. Raises OAuthError or Throttled."""
        clients = self._authenticated(client_id, client_secret)
        client = next((each for each in clients if soid and each.soid == soid), None)
        if client is None:
            raise OAuthError("access_denied")
        wanted = scope.replace(",", " ").split()
        registered = Token("", client.scope, 0)
        if not wanted or not all(registered.allows(each) for each in wanted):
            raise OAuthError("invalid_scope")
        return self._mint(f"{client_id} {soid}", ",".join(wanted), now, settings)

    def issue(self, scope: str, life_seconds: float, now: float) -> Token:
        """Issue a token directly, outside of every limit."""
        return self._new(scope, now + life_seconds, None)

    def revoke(self, value: str) -> bool:
        """Revoke a token. Returns False if there is no such token."""
        token = self.tokens.get(value)
        if token is None:
            return False
        token.revoked = True
        return True

    def find(self, value: str, now: float) -> Token | None:
        """The valid token with that value."""
        token = self.tokens.get(value)
        return token if token is not None and token.is_valid(now) else None

    def count_valid(self, now: float) -> int:
        """The number of valid minted tokens, without those issued directly."""
        return sum(token.grant is not None and token.is_valid(now) for token in self.tokens.values())

    def _authenticated(self, client_id: str, client_secret: str) -> list[Client]:
        clients = self.clients.get(client_id)
        if not clients:
            raise OAuthError("invalid_client")
        clients = [client for client in clients if client.client_secret == client_secret]
        if not clients:
            raise OAuthError("invalid_client_secret")
        return clients

    def _mint(self, grant: str, scope: str, now: float, settings: Settings) -> Token:
        window = self._windows.get(grant)
        if window is None or now >= window.started_at + settings.token_window_seconds:
            window = self._windows[grant] = _Window(now)
        if window.minted >= settings.token_limit:
            self.throttled += 1
            raise Throttled
        window.minted += 1
        self.minted += 1
        valid = [token for token in self.tokens.values() if token.grant == grant and token.is_valid(now)]
        for oldest in valid[: max(0, len(valid) + 1 - settings.valid_tokens)]:
            oldest.revoked = True
        return self._new(scope, now + settings.token_life_seconds, grant)

    def _new(self, scope: str, expires_at: float, grant: str | None) -> Token:
        token = Token(f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}", scope, expires_at, grant)
        self.tokens[token.value] = token
        return token
