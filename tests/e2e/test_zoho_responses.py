"""Responses of Zoho's API over a real connection, and the request that the function sends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.scene import JOB_ID, status


def error(code: str | None, **more: Any) -> dict:
    return {"code": code, "details": {}, "message": "as scripted", "status": "error", **more}


def wrapped(code: str) -> dict:
    return {"data": [error(code)]}


# Two rows for each error; src/zoho/response/tests.rs has them all. Three requests, if a repetition can succeed.
RESPONSES = {
    "204": (204, "", "JobNotFound", 1),
    "404-null-code": (404, {"code": None, "message": None}, "JobNotFound", 1),
    "400-invalid-module": (400, error("INVALID_MODULE"), "InvalidModule", 1),
    "200-invalid-module-in-data": (200, wrapped("INVALID_MODULE"), "InvalidModule", 1),
    "401-scope": (401, error("OAUTH_SCOPE_MISMATCH"), "ScopeMismatch", 1),
    "401-scope-with-spaces": (401, error("oauth scope mismatch"), "ScopeMismatch", 1),
    "403-no-permission": (403, error("NO_PERMISSION", details={"permissions": ["Crm_View"]}), "PermissionDenied", 1),
    "403-unknown-code": (403, error("SOMETHING_NEW"), "PermissionDenied", 1),
    "429": (429, error("TOO_MANY_REQUESTS"), "ZohoRateLimited", 3),
    "400-limit-exceeded": (400, error("LIMIT_EXCEEDED"), "ZohoRateLimited", 3),
    "500": (500, error("INTERNAL_ERROR"), "ZohoUnavailable", 3),
    "502-html": (502, "<html>Bad gateway</html>", "ZohoUnavailable", 3),
    "400-unknown-code": (400, error("SOMETHING_NEW"), "ZohoUnexpectedResponse", 1),
    "200-html": (200, "<html>log in</html>", "ZohoUnexpectedResponse", 3),
    "200-count-as-text": (200, status(Total_Count="50000"), "ZohoUnexpectedResponse", 1),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_an_error_response(scene, name):
    http_status, body, error_type, requests = RESPONSES[name]
    scene.zoho.respond(status=http_status, body=body, times=3)
    result = scene.check()
    assert result.error_type == error_type, result.error_message
    assert f"HTTP {http_status}" in result.error_message
    assert len(scene.requests()) == requests


@pytest.mark.parametrize(
    ("fault", "parameters", "error_type", "attempts"),
    [
        ("over-long", {}, "ZohoUnexpectedResponse", 1),
        ("over-long", {"chunked": True}, "ZohoUnexpectedResponse", 1),
        ("gzip-bomb", {}, "ZohoUnexpectedResponse", 3),
        ("redirect", {"status": 301}, "ZohoUnexpectedResponse", 3),
        ("redirect", {"status": 307}, "ZohoUnexpectedResponse", 3),
        ("body-after-204", {}, "JobNotFound", 1),
        ("body-after-204", {"length": False}, "JobNotFound", 1),
    ],
)
def test_a_malformed_response(scene, fault, parameters, error_type, attempts):
    scene.running_job()
    scene.zoho.fault(fault, side="crm", times=attempts, **parameters)
    result = scene.check()
    assert result.error_type == error_type, result.error_message
    assert [record.fault for record in scene.requests()] == [fault] * attempts
    # The rest of that response must not become the response to the next request.
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


def test_a_redirect_is_not_followed_with_the_token(scene):
    scene.zoho.fault("redirect", times=3, location=f"{scene.stack.zoho.url}/elsewhere", side="crm")
    assert scene.check().error_type == "ZohoUnexpectedResponse"
    assert "/elsewhere" not in [record.path for record in scene.zoho.stats().records]


@pytest.mark.parametrize(
    ("http_status", "body", "parts"),
    [
        (404, error("INVALID_URL_PATTERN"), ["INVALID_URL_PATTERN", "ZOHO_API_DOMAIN", "ZOHO_API_VERSION"]),
        (400, error("SOMETHING_NEW"), ["SOMETHING_NEW", "as scripted"]),
    ],
)
def test_the_error_message_says_what_happened_and_what_to_do(scene, http_status, body, parts):
    scene.zoho.respond(status=http_status, body=body)
    message = scene.check().error_message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("http_status", [404, 500])
def test_only_the_start_of_an_unknown_body_is_quoted(scene, http_status):
    scene.zoho.respond(status=http_status, body="<html>\n" + "x" * 5000 + "</html>", times=3)
    message = scene.check().error_message
    assert "\n" not in message
    assert "x" * 201 not in message
    assert len(message) < 1000


def test_a_job_of_another_module_is_not_found(scene):
    scene.running_job("Leads")
    assert scene.check(module="Deals").error_type == "JobNotFound"


def test_a_job_older_than_sixty_days_is_not_found(scene):
    scene.finished_job()
    assert scene.report()["finished"]
    scene.zoho.advance(61 * 86400)
    scene.put_secret({"access_token": scene.issue_token()})
    assert scene.check().error_type == "JobNotFound"


def test_the_request_on_the_wire(scene):
    scene.running_job("CustomModule1")
    scene.report(module="CustomModule1")
    (request,) = scene.requests()
    assert (request.method, request.path, request.query) == (
        "GET",
        "/crm/v8/CustomModule1/actions/mass_change_owner",
        f"job_id={JOB_ID}",
    )
    assert (request.scheme, request.body) == ("Zoho-oauthtoken", "")
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("mass-change-owner-status/0.")
    assert "accept-encoding" not in request.headers


def test_another_version_of_the_api(make_scene):
    scene = make_scene(env={"ZOHO_API_VERSION": "v6"})
    scene.running_job()
    scene.report()
    assert scene.requests()[0].path == "/crm/v6/Leads/actions/mass_change_owner"


def test_a_warm_check_sends_one_request_on_the_open_connection_and_none_to_aws(scene):
    scene.running_job()
    scene.report()
    connections, calls = scene.zoho.stats().connections, len(scene.stack.calls("secretsmanager"))
    scene.report()
    scene.report()
    assert len(scene.requests()) == 3
    assert len({request.connection for request in scene.requests()}) == 1
    assert scene.zoho.stats().connections == connections
    assert len(scene.stack.calls("secretsmanager")) == calls
