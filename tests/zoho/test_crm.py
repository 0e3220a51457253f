"""The CRM API over plain HTTP.

The marks in comments are the sources: doc is Zoho's documentation, oas its OpenAPI specifications (zoho/crm-oas on
GitHub), sdk the source of its SDKs, live a recorded response, and 3p the code or an issue of a third party.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from local.zoho_simulator import STANDARD_MODULES, Zoho, ZohoControl

from .plain_http import Http
from .raw_socket import connect, read_some, send

SAMPLE_JOB = "3652397000009565021"
NO_QUERY = "/crm/v8/Leads/actions/mass_change_owner"
STATUS_PATH = f"{NO_QUERY}?job_id={SAMPLE_JOB}"
OF_DEALS = STATUS_PATH.replace("Leads", "Deals")
OF_LEEDS = STATUS_PATH.replace("Leads", "Leeds")
START_BODY = {"cvid": "3652397000000538003", "owner": {"id": "3652397000000281001"}}


def error(code: str | None, message: str | None, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"code": code, "details": details or {}, "message": message, "status": "error"}


# ---- responses to a status request -----------------------------------------------------------------


def test_the_documented_sample(control: ZohoControl, http_client: Http) -> None:
    # 200: data with exactly one element, integer counts, uppercase; COMPLETED with 500 of 50,000 failed (doc)
    assert control.start_job("Leads", total=50_000, failed=500, run_seconds=0) == SAMPLE_JOB
    response = http_client.crm("GET", STATUS_PATH)
    assert response.status == 200
    assert response.body == (
        b'{"data":[{"Total_Count":50000,"Updated_Count":49500,"Not_Updated_Count":0,'
        b'"Failed_Count":500,"Status":"COMPLETED"}]}'
    )


def test_a_job_from_start_to_end(control: ZohoControl, http_client: Http) -> None:
    control.start_job("Leads", total=100, queue_seconds=10, run_seconds=100)
    seen = []
    for _ in range(5):
        status = http_client.crm("GET", STATUS_PATH).json()["data"][0]
        seen.append((status["Status"], status["Updated_Count"], status["Not_Updated_Count"]))
        control.advance(30)
    assert seen == [
        ("SCHEDULED", 0, 100),
        ("RUNNING", 20, 80),
        ("RUNNING", 50, 50),
        ("RUNNING", 80, 20),
        ("COMPLETED", 100, 0),
    ]


def test_a_job_without_visible_progress(control: ZohoControl, http_client: Http) -> None:
    # The latest specification does not list RUNNING: a job may be SCHEDULED, without counts, until it ends (oas)
    control.start_job("Leads", total=100, queue_seconds=10, run_seconds=60, failed=3, shows_progress=False)
    seen = []
    for _ in range(4):
        seen.append(http_client.crm("GET", STATUS_PATH).json()["data"][0])
        control.advance(25)
    assert seen[:3] == [{"Status": "SCHEDULED"}] * 3
    assert seen[3] == {
        "Total_Count": 100,
        "Updated_Count": 97,
        "Not_Updated_Count": 0,
        "Failed_Count": 3,
        "Status": "COMPLETED",
    }


def test_a_job_without_visible_progress_can_fail(control: ZohoControl, http_client: Http) -> None:
    control.start_job("Leads", total=100, run_seconds=60, shape="fails-half-way", shows_progress=False)
    control.advance(29)
    assert http_client.crm("GET", STATUS_PATH).json() == {"data": [{"Status": "SCHEDULED"}]}
    control.advance(1)
    status = http_client.crm("GET", STATUS_PATH).json()["data"][0]
    assert (status["Status"], status["Updated_Count"]) == ("FAILED", 50)


@pytest.mark.parametrize("version", ["v4", "v5", "v6", "v7", "v8"])
def test_same_path_in_v4_to_v8(version: str, control: ZohoControl, http_client: Http) -> None:
    # The path is the same in v4 to v8 (doc, sdk)
    control.start_job("Leads")
    assert http_client.crm("GET", STATUS_PATH.replace("v8", version)).status == 200


@pytest.mark.parametrize("module", [*sorted(STANDARD_MODULES), "CustomModule1", "zohosign__ZohoSign_Documents"])
def test_all_modules(module: str, control: ZohoControl, http_client: Http) -> None:
    # The seventeen by API name (oas); custom names can contain __ (3p)
    job_id = control.start_job(module)
    assert http_client.status_of(job_id, module).status == 200


def test_job_ids_are_new_and_have_19_digits(control: ZohoControl) -> None:
    ids = {control.start_job() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 19 and each.isdigit() for each in ids)


BAD_URL = error("INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
BAD_METHOD = error("INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
BAD_HOST = error("INVALID_HOST", "the host name given seems to be invalid")
BAD_SCOPE = error("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
BAD_MODULE = error("INVALID_MODULE", "the module name given seems to be invalid", {"resource_path_index": 0})
BAD_JOB_ID = error("INVALID_DATA", "the job id given seems to be invalid", {"param_name": "job_id"})
UNPARSABLE = error("UNABLE_TO_PARSE_DATA_TYPE", "either the request body or parameters is in wrong format")
NO_JOB_ID = error("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", {"param_name": "job_id"})
NO_PERMISSION = error("NO_PERMISSION", "permission denied", {"permissions": ["Crm_Implied_View_Leads"]})
OTHER_MODULE = error("INVALID_DATA", "the job id given seems to be invalid")

# Settings, request, and response: (settings, method, path, status, body)
ERRORS = {
    # 400 for any domain other than www.zohoapis.<data center> (doc)
    "invalid host": ({"crm_hosts": ["www.zohoapis.com"]}, "GET", STATUS_PATH, 400, BAD_HOST),
    # Not in v2, v2.1, v3 (doc, sdk); INVALID_URL_PATTERN 404 (doc)
    "v3": ({}, "GET", STATUS_PATH.replace("v8", "v3"), 404, BAD_URL),
    "v2.1": ({}, "GET", STATUS_PATH.replace("v8", "v2.1"), 404, BAD_URL),
    "wrong action": ({}, "GET", "/crm/v8/Leads/actions/mass_change", 404, BAD_URL),
    "wrong method": ({}, "DELETE", STATUS_PATH, 400, BAD_METHOD),
    # INVALID_MODULE 400 (oas, live), or 401 OAUTH_SCOPE_MISMATCH (doc)
    "unknown module": ({}, "GET", OF_LEEDS, 400, BAD_MODULE),
    # Names are case-sensitive (3p)
    "lower case": ({}, "GET", STATUS_PATH.replace("Leads", "leads"), 400, BAD_MODULE),
    # The literal `Custom` is a placeholder (oas)
    "Custom": ({}, "GET", STATUS_PATH.replace("Leads", "Custom"), 400, BAD_MODULE),
    "unknown module by scope": (
        {"unknown_module": "OAUTH_SCOPE_MISMATCH"},
        "GET",
        OF_LEEDS,
        401,
        BAD_SCOPE,
    ),
    # 403 NO_PERMISSION, details.permissions (doc, oas)
    "no permission": ({"forbidden_modules": ["Leads"]}, "GET", STATUS_PATH, 403, NO_PERMISSION),
    # Missing job_id: REQUIRED_PARAM_MISSING, 404 (doc) or 400 (oas)
    "no job_id": ({}, "GET", NO_QUERY, 404, NO_JOB_ID),
    "no job_id (oas)": ({"missing_job_id_status": 400}, "GET", NO_QUERY + "?job_id=", 400, NO_JOB_ID),
    # Malformed ID: related endpoints return INVALID_DATA with details.param_name, or UNABLE_TO_PARSE_DATA_TYPE (oas)
    "malformed job_id": ({}, "GET", STATUS_PATH + "x", 400, BAD_JOB_ID),
    "too long job_id": ({}, "GET", STATUS_PATH + "0", 400, BAD_JOB_ID),
    "unparsable job_id": ({"malformed_job_id": "UNABLE_TO_PARSE_DATA_TYPE"}, "GET", STATUS_PATH + "x", 400, UNPARSABLE),
    # Existing job of another module: 404, with code and message possibly null or missing (oas)
    "other module": ({}, "GET", OF_DEALS, 404, error(None, None)),
    "other module, absent": (
        {"other_module_body": "absent"},
        "GET",
        OF_DEALS,
        404,
        {"details": {}, "status": "error"},
    ),
    "other module, full": (
        {"other_module_body": "full"},
        "GET",
        OF_DEALS,
        404,
        OTHER_MODULE,
    ),
    # Envelopes: wrapped in data[0] with a 2xx (3p), only code and message
    "wrapped in data": ({"error_envelope": "data"}, "GET", STATUS_PATH + "x", 200, {"data": [BAD_JOB_ID]}),
    "short": (
        {"error_envelope": "short"},
        "GET",
        STATUS_PATH + "x",
        400,
        {"code": "INVALID_DATA", "message": "the job id given seems to be invalid"},
    ),
}


@pytest.mark.parametrize(("settings", "method", "path", "status", "body"), ERRORS.values(), ids=ERRORS.keys())
def test_errors(
    settings: dict[str, Any],
    method: str,
    path: str,
    status: int,
    body: dict[str, Any],
    control: ZohoControl,
    http_client: Http,
) -> None:
    control.settings(**settings)
    control.start_job("Leads", job_id=SAMPLE_JOB)
    response = http_client.crm(method, path)
    assert (response.status, response.json()) == (status, body)


def test_only_listed_hosts_are_valid(control: ZohoControl, http_client: Http) -> None:
    control.settings(crm_hosts=["127.0.0.1"])
    assert http_client.status_of("1").status == 204


@pytest.mark.parametrize("module", ["Leads", "Deals"])
@pytest.mark.parametrize("job_id", ["1", "3652397000009565000"])
def test_an_unknown_job_is_a_204_in_every_module(
    job_id: str, module: str, control: ZohoControl, http_client: Http
) -> None:
    # Unknown or from another organization: 204; an ID that JavaScript rounded looks like an unknown job. Only an
    # existing job of another module is a 404 (oas).
    control.start_job("Leads", job_id=SAMPLE_JOB)
    response = http_client.status_of(job_id, module)
    assert (response.status, response.body, response.headers["Content-Length"]) == (204, b"", None)


@pytest.mark.parametrize(("setting", "announced"), [("unannounced", False), ("announced", True)])
def test_a_204_can_have_a_body_on_the_wire(setting: str, announced: bool, zoho: Zoho, http_client: Http) -> None:
    # The latest specification returns a NO_DATA body with the 204 (oas)
    zoho.control.settings(no_data_body=setting)
    with connect(zoho) as connection:
        send(connection, STATUS_PATH, http_client.token)
        received = read_some(connection)
    assert received.status == 204
    assert json.loads(received.body) == error("NO_DATA", "no data found")
    assert received.header("Content-Length") == (str(len(received.body)) if announced else None)


def test_job_statuses_are_kept_60_days(control: ZohoControl, http_client: Http) -> None:
    # Job statuses are kept for 60 days (doc)
    control.start_job("Leads", job_id=SAMPLE_JOB)
    token = control.issue_token(life_seconds=1e9)
    control.advance(60 * 86_400 - 1)
    assert http_client.crm("GET", STATUS_PATH, authorization=f"Zoho-oauthtoken {token}").status == 200
    control.advance(1)
    assert http_client.crm("GET", STATUS_PATH, authorization=f"Zoho-oauthtoken {token}").status == 204
    # A job that has aged out is unknown in every module.
    assert http_client.crm("GET", OF_DEALS, authorization=f"Zoho-oauthtoken {token}").status == 204


def test_other_spellings_and_missing_keys(control: ZohoControl, http_client: Http) -> None:
    # Related endpoints return `in progress`; the older specification requires no key (oas, sdk)
    control.settings(status_words={"RUNNING": "in progress"}, omitted_keys=["Failed_Count", "Not_Updated_Count"])
    job_id = control.start_job(total=10)
    assert http_client.status_of(job_id).json() == {
        "data": [{"Total_Count": 10, "Updated_Count": 0, "Status": "in progress"}]
    }


# ---- access tokens ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "settings", "status", "code"),
    [
        # 401: AUTHENTICATION_FAILURE without a token (live), INVALID_TOKEN (live)
        ("", {}, 401, "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken", {}, 401, "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.unknown", {}, 401, "INVALID_TOKEN"),
        # INVALID_OAUTHTOKEN (doc; 3p: possibly with HTTP 200)
        ("Zoho-oauthtoken 1000.unknown", {"invalid_token_code": "INVALID_OAUTHTOKEN"}, 401, "INVALID_OAUTHTOKEN"),
        (
            "Zoho-oauthtoken 1000.unknown",
            {"invalid_token_code": "INVALID_OAUTHTOKEN", "invalid_token_status": 200},
            200,
            "INVALID_OAUTHTOKEN",
        ),
        # Bearer is reported to fail (3p)
        ("Bearer {token}", {}, 401, "INVALID_TOKEN"),
        ("Zoho-oauthtoken {token}", {}, 200, None),
    ],
)
def test_authorization(
    authorization: str,
    settings: dict[str, Any],
    status: int,
    code: str | None,
    control: ZohoControl,
    http_client: Http,
) -> None:
    control.settings(**settings)
    job_id = control.start_job()
    response = http_client.status_of(job_id, authorization=authorization.format(token=http_client.token))
    assert (response.status, response.json().get("code")) == (status, code)


@pytest.mark.parametrize(
    ("scope", "status_call", "start_call"),
    [
        ("ZohoCRM.change_owner.READ", 200, 401),
        ("ZohoCRM.change_owner.CREATE", 401, 202),
        ("ZohoCRM.change_owner.ALL", 200, 202),
        ("ZohoCRM.modules.ALL,ZohoCRM.change_owner.READ", 200, 401),
        ("ZohoCRM.modules.ALL", 401, 401),
    ],
)
def test_scopes(scope: str, status_call: int, start_call: int, control: ZohoControl, http_client: Http) -> None:
    # OAUTH_SCOPE_MISMATCH, 401 (doc)
    http_client.token = control.issue_token(scope)
    responses = [
        http_client.status_of(control.start_job()),
        http_client.crm("POST", NO_QUERY, START_BODY),
    ]
    assert [response.status for response in responses] == [status_call, start_call]
    rejected = [response.json()["code"] for response in responses if response.status == 401]
    assert rejected == ["OAUTH_SCOPE_MISMATCH"] * len(rejected)


def test_a_status_request_can_need_the_create_scope(control: ZohoControl, http_client: Http) -> None:
    # The documentation names READ, and CREATE where it resolves OAUTH_SCOPE_MISMATCH (doc)
    control.settings(status_scope="CREATE")
    job_id = control.start_job()
    statuses = []
    for scope in ("READ", "CREATE", "ALL"):
        http_client.token = control.issue_token(f"ZohoCRM.change_owner.{scope}")
        statuses.append(http_client.status_of(job_id).status)
    assert statuses == [401, 200, 200]


def test_an_expired_or_revoked_token_is_invalid(control: ZohoControl, http_client: Http) -> None:
    job_id = control.start_job()
    control.advance(3599)
    assert http_client.status_of(job_id).status == 200
    control.advance(1)
    assert http_client.status_of(job_id).json() == error("INVALID_TOKEN", "invalid oauth token")
    http_client.token = control.issue_token()
    assert control.revoke(http_client.token)
    assert http_client.status_of(job_id).status == 401


# ---- headers ---------------------------------------------------------------------------------------


def test_the_headers_of_recorded_responses(control: ZohoControl, http_client: Http) -> None:
    # JSON with charset, Content-Disposition, X-ACCESSTOKEN-RESET as an ISO time with the user's offset (live)
    response = http_client.status_of(control.start_job())
    assert response.headers["Content-Type"] == "application/json;charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename=response.json"
    reset = datetime.fromisoformat(response.headers["X-ACCESSTOKEN-RESET"])
    assert reset.utcoffset() == timedelta(hours=5.5)
    assert reset.timestamp() == pytest.approx(control.now() + 3600, abs=1)


# ---- starting a job --------------------------------------------------------------------------------


def test_starting_a_job(control: ZohoControl, http_client: Http) -> None:
    control.settings(posted_job={"total": 7, "run_seconds": 0})
    response = http_client.crm("POST", "/crm/v8/Deals/actions/mass_change_owner", START_BODY)
    assert response.status == 202
    (success,) = response.json()["data"]
    assert (success["code"], success["status"]) == ("SUCCESS", "success")
    status = http_client.status_of(success["details"]["job_id"], "Deals").json()["data"][0]
    assert (status["Status"], status["Updated_Count"]) == ("COMPLETED", 7)


@pytest.mark.parametrize(
    ("body", "code", "api_name"),
    [
        ({"owner": {"id": "1"}}, "MANDATORY_NOT_FOUND", "cvid"),
        ({"cvid": "1"}, "MANDATORY_NOT_FOUND", "owner"),
        ({"cvid": "1", "owner": {}}, "MANDATORY_NOT_FOUND", "id"),
        ({"cvid": "x", "owner": {"id": "1"}}, "INVALID_DATA", "cvid"),
        ([], "INVALID_DATA", None),
    ],
)
def test_bodies_that_start_no_job(
    body: Any, code: str, api_name: str | None, control: ZohoControl, http_client: Http
) -> None:
    # 400 MANDATORY_NOT_FOUND and INVALID_DATA, details.api_name (oas)
    response = http_client.crm("POST", NO_QUERY, body)
    assert (response.status, response.json()["code"], response.json()["details"].get("api_name")) == (
        400,
        code,
        api_name,
    )
    assert control.stats().jobs == 0
