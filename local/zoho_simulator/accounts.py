"""The accounts server: POST /oauth/v2/token."""

from __future__ import annotations

from typing import Any

from local.wire.message import Request, Response

from .device import Logins
from .oauth import OAuthError, Throttled, Token, TokenIssuer
from .settings import Settings

TOKEN_PATH = "/oauth/v2/token"

_THROTTLED = {
    "error": "Access Denied",
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "status": "failure",
}


def handle(
    issuer: TokenIssuer, logins: Logins, request: Request, now: float, settings: Settings, own_url: str
) -> Response:
    """Respond to one token request."""
    if request.method != "POST":
        return Response(405, headers=(("Allow", "POST"),))
    form = request.form()
    clients = issuer.clients.get(form.get("client_id", ""), [])
    login = logins.respond(request.path, form, clients, issuer.add_client, now)
    if login is not None and "refresh_token" in login:
        scope = next(client.scope for client in clients if client.refresh_token == login["refresh_token"])
        token = issuer.issue(scope, settings.token_life_seconds, now)
        return Response.json(200, login | _token_response(token, settings, own_url))
    if login is not None:
        return Response.json(settings.oauth_error_status, login)
    try:
        token = _mint(issuer, request, now, settings)
    except Throttled:
        return Response.json(400, _THROTTLED)
    except OAuthError as error:
        return Response.json(settings.oauth_error_status, {"error": str(error)})
    return Response.json(200, _token_response(token, settings, own_url))


def _mint(issuer: TokenIssuer, request: Request, now: float, settings: Settings) -> Token:
    form = request.form()
    client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
    grant = form.get("grant_type", "")
    if grant == "refresh_token" and request.path == TOKEN_PATH:
        return issuer.refresh(client_id, client_secret, form.get("refresh_token", ""), now, settings)
    if grant == "client_credentials" and request.path == settings.client_credentials_path:
        soid, scope = form.get("soid", ""), form.get("scope", "")
        return issuer.client_credentials(client_id, client_secret, soid, scope, now, settings)
    # A body that is not a form has no client ID either.
    raise OAuthError("unsupported_grant_type" if client_id else "invalid_client")


def _token_response(token: Token, settings: Settings, own_url: str) -> dict[str, Any]:
    life = settings.token_life_seconds
    response: dict[str, Any] = {"access_token": token.value}
    if settings.scope_in_token_response:
        response["scope"] = token.scope.replace(",", " ")
    api_domain = own_url if settings.token_api_domain is None else settings.token_api_domain
    if api_domain:
        response["api_domain"] = api_domain
    response["token_type"] = "Bearer"
    if settings.legacy_expires_in:
        response |= {"expires_in_sec": life, "expires_in": life * 1000}
    else:
        response["expires_in"] = life
    return response
