"""The CRM side over plain HTTP. Comments cite the facts on record about Zoho: (doc), (oas), (live), (3p)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from local.zoho_simulator import STANDARD_MODULES, ZohoControl

from .plain_http import Http

SAMPLE_JOB = "3652397000009565021"
NO_QUERY = "/crm/v8/Leads/actions/mass_change_owner"
STATUS_PATH = f"{NO_QUERY}?job_id={SAMPLE_JOB}"
OF_DEALS = STATUS_PATH.replace("Leads", "Deals")
OF_LEEDS = STATUS_PATH.replace("Leads", "Leeds")
START_BODY = {"cvid": "3652397000000538003", "owner": {"id": "3652397000000281001"}}


def error(code: str | None, message: str | None, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"code": code, "details": details or {}, "message": message, "status": "error"}


# ---- answers to a status call ----------------------------------------------------------------------


def test_the_documented_sample(control: ZohoControl, http_client: Http) -> None:
    # 200: data with exactly one element, integer counts, upper case; COMPLETED with 500 of 50,000 failed (doc)
    assert control.start_job("Leads", total=50_000, failed=500, run_seconds=0) == SAMPLE_JOB
    answer = http_client.crm("GET", STATUS_PATH)
    assert answer.status == 200
    assert answer.body == (
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


@pytest.mark.parametrize("version", ["v4", "v5", "v6", "v7", "v8"])
def test_same_path_in_v4_to_v8(version: str, control: ZohoControl, http_client: Http) -> None:
    # Same path in v4 to v8 (doc, sdk)
    control.start_job("Leads")
    assert http_client.crm("GET", STATUS_PATH.replace("v8", version)).status == 200


@pytest.mark.parametrize("module", [*sorted(STANDARD_MODULES), "CustomModule1", "zohosign__ZohoSign_Documents"])
def test_all_modules(module: str, control: ZohoControl, http_client: Http) -> None:
    # The seventeen by API name (oas); custom names may hold __ (3p)
    job_id = control.start_job(module)
    assert http_client.status_of(job_id, module).status == 200


def test_job_ids_are_new_and_have_19_digits(control: ZohoControl) -> None:
    ids = {control.start_job() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 19 and each.isdigit() for each in ids)


BAD_URL = error("INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
BAD_METHOD = error("INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
BAD_SCOPE = error("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
BAD_MODULE = error("INVALID_MODULE", "the module name given seems to be invalid", {"resource_path_index": 0})
BAD_JOB_ID = error("INVALID_DATA", "the job id given seems to be invalid", {"param_name": "job_id"})
UNPARSABLE = error("UNABLE_TO_PARSE_DATA_TYPE", "either the request body or parameters is in wrong format")
NO_JOB_ID = error("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", {"param_name": "job_id"})
NO_PERMISSION = error("NO_PERMISSION", "permission denied", {"permissions": ["Crm_Implied_View_Leads"]})
OTHER_MODULE = error("INVALID_DATA", "the job id given seems to be invalid")

# Settings, request and its answer: (settings, method, path, status, body)
_REFUSALS = {
    # Not in v2, v2.1, v3 (doc, sdk); INVALID_URL_PATTERN 404 (doc)
    "v3": ({}, "GET", STATUS_PATH.replace("v8", "v3"), 404, BAD_URL),
    "v2.1": ({}, "GET", STATUS_PATH.replace("v8", "v2.1"), 404, BAD_URL),
    "wrong action": ({}, "GET", "/crm/v8/Leads/actions/mass_change", 404, BAD_URL),
    "wrong method": ({}, "DELETE", STATUS_PATH, 400, BAD_METHOD),
    # INVALID_MODULE 400 (oas, live), or 401 OAUTH_SCOPE_MISMATCH (doc)
    "unknown module": ({}, "GET", OF_LEEDS, 400, BAD_MODULE),
    # Names are case-sensitive (3p)
    "lower case": ({}, "GET", STATUS_PATH.replace("Leads", "leads"), 400, BAD_MODULE),
    # The literal `Custom` is a placeholder
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
    # Malformed id: sisters give INVALID_DATA with details.param_name, or UNABLE_TO_PARSE_DATA_TYPE (oas)
    "malformed job_id": ({}, "GET", STATUS_PATH + "x", 400, BAD_JOB_ID),
    "too long job_id": ({}, "GET", STATUS_PATH + "0", 400, BAD_JOB_ID),
    "unparsable job_id": ({"malformed_job_id": "UNABLE_TO_PARSE_DATA_TYPE"}, "GET", STATUS_PATH + "x", 400, UNPARSABLE),
    # A live job of another module: 404, code and message possibly null or absent (oas)
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
    # Envelopes seen: wrapped in data[0] with a 2xx (3p), {code, message} alone
    "wrapped in data": ({"error_envelope": "data"}, "GET", STATUS_PATH + "x", 200, {"data": [BAD_JOB_ID]}),
    "short": (
        {"error_envelope": "short"},
        "GET",
        STATUS_PATH + "x",
        400,
        {"code": "INVALID_DATA", "message": "the job id given seems to be invalid"},
    ),
}


@pytest.mark.parametrize(("settings", "method", "path", "status", "body"), _REFUSALS.values(), ids=_REFUSALS.keys())
def test_refusals(
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
    answer = http_client.crm(method, path)
    assert (answer.status, answer.json()) == (status, body)


@pytest.mark.parametrize("job_id", ["1", "3652397000009565000"])
def test_unknown_job_is_a_204_without_body(job_id: str, control: ZohoControl, http_client: Http) -> None:
    # Unknown, aged-out, other-org: HTTP 204; an id that JavaScript rounded looks like an unknown one
    control.start_job("Leads", job_id=SAMPLE_JOB)
    answer = http_client.status_of(job_id)
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (204, b"", None)


def test_job_statuses_are_kept_60_days(control: ZohoControl, http_client: Http) -> None:
    # Job statuses are kept 60 days (doc)
    control.start_job("Leads", job_id=SAMPLE_JOB)
    token = control.issue_token(life_seconds=1e9)
    control.advance(60 * 86_400 - 1)
    assert http_client.crm("GET", STATUS_PATH, authorization=f"Zoho-oauthtoken {token}").status == 200
    control.advance(1)
    assert http_client.crm("GET", STATUS_PATH, authorization=f"Zoho-oauthtoken {token}").status == 204
    # Aged out, a job is of no module any more.
    assert http_client.crm("GET", OF_DEALS, authorization=f"Zoho-oauthtoken {token}").status == 204


def test_other_words_and_absent_keys(control: ZohoControl, http_client: Http) -> None:
    # Sister endpoints write `in progress`; older specifications require no key (oas, sdk)
    control.settings(status_words={"RUNNING": "in progress"}, omitted_keys=["Failed_Count", "Not_Updated_Count"])
    job_id = control.start_job(total=10)
    assert http_client.status_of(job_id).json() == {
        "data": [{"Total_Count": 10, "Updated_Count": 0, "Status": "in progress"}]
    }


# ---- tokens on calls -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "settings", "status", "code"),
    [
        # 401: AUTHENTICATION_FAILURE without a token (live), INVALID_TOKEN (live)
        ("", {}, 401, "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken", {}, 401, "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.unknown", {}, 401, "INVALID_TOKEN"),
        # INVALID_OAUTHTOKEN (doc; 3p: maybe with HTTP 200)
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
    answer = http_client.status_of(job_id, authorization=authorization.format(token=http_client.token))
    assert (answer.status, answer.json().get("code")) == (status, code)


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
    answers = [
        http_client.status_of(control.start_job()),
        http_client.crm("POST", NO_QUERY, START_BODY),
    ]
    assert [answer.status for answer in answers] == [status_call, start_call]
    refused = [answer.json()["code"] for answer in answers if answer.status == 401]
    assert refused == ["OAUTH_SCOPE_MISMATCH"] * len(refused)


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


def test_headers_of_real_answers(control: ZohoControl, http_client: Http) -> None:
    # JSON with charset, Content-Disposition, X-ACCESSTOKEN-RESET as an ISO time with the user's offset (live)
    answer = http_client.status_of(control.start_job())
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=response.json"
    reset = datetime.fromisoformat(answer.headers["X-ACCESSTOKEN-RESET"])
    assert reset.utcoffset() == timedelta(hours=5.5)
    assert reset.timestamp() == pytest.approx(control.now() + 3600, abs=1)


# ---- starting a job --------------------------------------------------------------------------------


def test_starting_a_job(control: ZohoControl, http_client: Http) -> None:
    control.settings(posted_job={"total": 7, "run_seconds": 0})
    answer = http_client.crm("POST", "/crm/v8/Deals/actions/mass_change_owner", START_BODY)
    assert answer.status == 202
    (success,) = answer.json()["data"]
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
    answer = http_client.crm("POST", NO_QUERY, body)
    assert (answer.status, answer.json()["code"], answer.json()["details"].get("api_name")) == (400, code, api_name)
    assert control.stats().jobs == 0


# ---- limits ----------------------------------------------------------------------------------------


def test_daily_credits(control: ZohoControl, http_client: Http) -> None:
    # One credit a call (doc); X-API-CREDITS-REMAINING only once half of them are used (3p); then 429 (doc, oas)
    job_id = control.start_job()
    control.settings(daily_credits=4)
    answers = [http_client.status_of(job_id) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 4 + [429]
    assert [answer.headers["X-API-CREDITS-REMAINING"] for answer in answers] == [None, "2", "1", "0", None]
    assert answers[-1].json()["code"] == "TOO_MANY_REQUESTS"
    # No documented Retry-After; one generic sample has details.retry_after (oas)
    assert (answers[-1].headers["Retry-After"], answers[-1].json()["details"]) == (None, {})
    control.settings(retry_after=7)
    told = http_client.status_of(job_id)
    assert (told.headers["Retry-After"], told.json()["details"]) == ("7", {"retry_after": 7})
    control.advance(86_400)
    http_client.token = control.issue_token()
    assert http_client.status_of(job_id).status == 200
