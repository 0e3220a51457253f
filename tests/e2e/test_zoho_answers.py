"""Everything that Zoho is known, documented or reported to answer, sent over a real connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.scene import JOB_ID, status


def error(code: str | None, **more: Any) -> dict:
    return {"code": code, "details": {}, "message": "as scripted", "status": "error", **more}


def wrapped(code: str) -> dict:
    return {"data": [error(code)]}


# Requests in all are three where the same one may succeed later; see test_retries.py for the waits between them.
ANSWERS = {
    "204": (204, "", "JobNotFound", 1),
    "404-null-code": (404, {"code": None, "message": None}, "JobNotFound", 1),
    "404-absent-code": (404, {}, "JobNotFound", 1),
    "404-required-param-missing": (404, error("REQUIRED_PARAM_MISSING"), "JobNotFound", 1),
    "400-required-param-missing": (400, error("REQUIRED_PARAM_MISSING"), "JobNotFound", 1),
    "400-invalid-job-id": (400, error("INVALID_DATA", details={"param_name": "job_id"}), "JobNotFound", 1),
    "400-other-invalid-data": (400, error("INVALID_DATA", details={"param_name": "page"}), "ZohoUnexpectedResponse", 1),
    "404-invalid-url-pattern": (404, error("INVALID_URL_PATTERN"), "ZohoUnexpectedResponse", 1),
    "400-invalid-module": (400, error("INVALID_MODULE"), "InvalidModule", 1),
    "200-invalid-module-in-data": (200, wrapped("INVALID_MODULE"), "InvalidModule", 1),
    "400-code-and-message-alone": (400, {"code": "INVALID_MODULE", "message": "m"}, "InvalidModule", 1),
    "400-other-key-order": (400, dict(reversed(error("INVALID_MODULE").items())), "InvalidModule", 1),
    "401-scope": (401, error("OAUTH_SCOPE_MISMATCH"), "ScopeMismatch", 1),
    "401-scope-with-spaces": (401, error("oauth scope mismatch"), "ScopeMismatch", 1),
    "403-no-permission": (403, error("NO_PERMISSION", details={"permissions": ["Crm_View"]}), "PermissionDenied", 1),
    "403-unknown-code": (403, error("SOMETHING_NEW"), "PermissionDenied", 1),
    "403-html": (403, "<html>forbidden</html>", "PermissionDenied", 1),
    "202-no-permission-in-data": (202, wrapped("NO_PERMISSION"), "PermissionDenied", 1),
    "429": (429, error("TOO_MANY_REQUESTS"), "ZohoRateLimited", 3),
    "429-code-with-spaces": (429, error("TOO MANY REQUESTS"), "ZohoRateLimited", 3),
    "429-text": (429, "slow down", "ZohoRateLimited", 3),
    "400-limit-exceeded": (400, error("LIMIT_EXCEEDED"), "ZohoRateLimited", 3),
    "403-limit-reached": (403, error("LIMIT_REACHED"), "ZohoRateLimited", 3),
    "500": (500, error("INTERNAL_ERROR"), "ZohoUnavailable", 3),
    "500-other-code": (500, error("INTERNAL_SERVER_ERROR"), "ZohoUnavailable", 3),
    "502-html": (502, "<html>Bad gateway</html>", "ZohoUnavailable", 3),
    "503-empty": (503, "", "ZohoUnavailable", 3),
    "400-unknown-code": (400, error("SOMETHING_NEW"), "ZohoUnexpectedResponse", 1),
    "405": (405, error("INVALID_REQUEST_METHOD"), "ZohoUnexpectedResponse", 1),
    "200-html": (200, "<html>log in</html>", "ZohoUnexpectedResponse", 3),
    "200-empty": (200, "", "ZohoUnexpectedResponse", 3),
    "200-null": (200, "null", "ZohoUnexpectedResponse", 1),
    "200-no-data": (200, {"info": {}}, "ZohoUnexpectedResponse", 1),
    "200-empty-data": (200, {"data": []}, "ZohoUnexpectedResponse", 1),
    "200-data-of-another-type": (200, {"data": {"Status": "RUNNING"}}, "ZohoUnexpectedResponse", 1),
    "200-no-status": (200, {"data": [{"Total_Count": 1}]}, "ZohoUnexpectedResponse", 1),
    "200-status-of-another-type": (200, {"data": [{"Status": 7}]}, "ZohoUnexpectedResponse", 1),
    "200-count-as-text": (200, status(Total_Count="50000"), "ZohoUnexpectedResponse", 1),
    "200-negative-count": (200, status(Failed_Count=-1), "ZohoUnexpectedResponse", 1),
    "200-half-a-document": (200, json.dumps(status())[:40], "ZohoUnexpectedResponse", 3),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_response_that_is_not_a_status(scene, name):
    http_status, body, error_type, requests = ANSWERS[name]
    scene.zoho.respond(status=http_status, body=body, times=3)
    answer = scene.check()
    assert answer.error_type == error_type, answer.error_message
    assert f"HTTP {http_status}" in answer.error_message
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
    answer = scene.check()
    assert answer.error_type == error_type, answer.error_message
    assert [record.fault for record in scene.requests()] == [fault] * attempts
    # Whatever is left on that connection must not become the response to the next request.
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


def test_a_redirect_is_not_followed_with_the_token(scene):
    scene.zoho.fault("redirect", location=f"{scene.stack.zoho.url}/elsewhere", side="crm")
    assert scene.check().error_type == "ZohoUnexpectedResponse"
    assert len(scene.zoho.stats().records) == 1


@pytest.mark.parametrize(
    ("http_status", "body", "said"),
    [
        (404, error("INVALID_URL_PATTERN"), ["INVALID_URL_PATTERN", "ZOHO_API_DOMAIN", "ZOHO_API_VERSION"]),
        (401, error("OAUTH_SCOPE_MISMATCH"), ["OAUTH_SCOPE_MISMATCH", "ZohoCRM.change_owner.READ"]),
        (403, error("NO_PERMISSION"), ["NO_PERMISSION", "HTTP 403"]),
        (204, "", ["60 days"]),
        (400, error("INVALID_MODULE"), ["INVALID_MODULE", "API name"]),
        (400, error("SOMETHING_NEW"), ["SOMETHING_NEW", "as scripted"]),
    ],
)
def test_the_message_says_what_happened_and_what_to_do(scene, http_status, body, said):
    scene.zoho.respond(status=http_status, body=body)
    message = scene.check().error_message
    for part in said:
        assert part in message


@pytest.mark.parametrize("http_status", [200, 403, 404, 500])
def test_a_foreign_body_is_quoted_in_short(scene, http_status):
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


def test_a_warm_check_is_one_request_on_an_open_connection_and_none_to_aws(scene):
    scene.running_job()
    scene.report()
    connections, calls = scene.zoho.stats().connections, len(scene.stack.calls("secretsmanager"))
    scene.report()
    scene.report()
    assert len(scene.requests()) == 3
    assert len({request.connection for request in scene.requests()}) == 1
    assert scene.zoho.stats().connections == connections
    assert len(scene.stack.calls("secretsmanager")) == calls
