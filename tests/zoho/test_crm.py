"""The CRM API over plain HTTP.

The marks in comments are the sources: doc is Zoho's documentation, oas its OpenAPI specifications (zoho/crm-oas on
GitHub), sdk the source of its SDKs, live a recorded response, and 3p the code or an issue of a third party.
"""

from __future__ import annotations

import itertools

import pytest

from local.zoho_simulator import ZohoControl
from local.zoho_simulator.crm import MODULES
from local.zoho_simulator.jobs import SHAPES, Job

from .conftest import STATUS, Http

SAMPLE_JOB = "3652397000009565021"
OF_LEADS = STATUS.format("Leads", SAMPLE_JOB)
NO_QUERY = OF_LEADS.partition("?")[0]


def test_the_documented_sample(control: ZohoControl, http_client: Http) -> None:
    # 200: data with exactly one element, integer counts, uppercase; COMPLETED with 500 of 50,000 failed (doc). JSON
    # with charset, Content-Disposition (live)
    assert control.start_job("Leads", total=50_000, failed=500, run_seconds=0) == SAMPLE_JOB
    response = http_client.crm("GET", OF_LEADS)
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    assert response.data == (
        b'{"data":[{"Total_Count":50000,"Updated_Count":49500,"Not_Updated_Count":0,'
        b'"Failed_Count":500,"Status":"COMPLETED"}]}'
    )
    assert response.headers["Content-Disposition"] == "attachment; filename=response.json"


# The updated records after 20, 50, and 80 % of the running time.
UPDATED = {
    "linear": (200, 500, 800),
    "decelerating": (360, 750, 960),
    "stall": (333, 500, 666),
    "fails-half-way": (200, 500, 500),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_job_from_its_start_to_its_end(shape: str) -> None:
    job = Job(job_id="1", module="Leads", created_at=0, total=1000, run_seconds=100, shape=shape)
    updated = [job.status(age)["Updated_Count"] for age in (20, 50, 80)]
    # Floating-point rounding can make a count one too low.
    assert updated == pytest.approx(UPDATED[shape], abs=1)
    job = Job(job_id="1", module="Leads", created_at=0, total=1000, run_seconds=100, shape=shape, failed=70)
    seen = [job.status(age) for age in range(-10, 120)]
    for each in seen:
        counts = [each[name] for name in ("Updated_Count", "Failed_Count", "Not_Updated_Count")]
        assert sum(counts) == each["Total_Count"] == 1000
        assert min(counts) >= 0
    for earlier, later in itertools.pairwise(seen):
        assert later["Updated_Count"] >= earlier["Updated_Count"]
    assert {each["Status"] for each in seen[:10]} == {"SCHEDULED"}
    assert seen[-1]["Status"] == ("FAILED" if shape == "fails-half-way" else "COMPLETED")


def test_all_modules_and_versions(control: ZohoControl, http_client: Http) -> None:
    # The seventeen by API name (oas); custom names can contain __ (3p)
    assert len(MODULES) == 17 + 3
    for module in MODULES:
        assert http_client.status_of(control.start_job(module), module).status == 200
    # The path is the same in v4 to v8 (doc, sdk)
    for version in ("v4", "v5", "v6", "v7"):
        assert http_client.crm("GET", STATUS.format("Leads", "1").replace("v8", version)).status == 204


# Request and response: (settings, method, path, status, code, details)
ERRORS = {
    # Not in v2, v2.1, v3 (doc, sdk); INVALID_URL_PATTERN 404 (doc)
    "v3": ({}, "GET", OF_LEADS.replace("v8", "v3"), 404, "INVALID_URL_PATTERN", {}),
    "wrong method": ({}, "DELETE", OF_LEADS, 400, "INVALID_REQUEST_METHOD", {}),
    # INVALID_MODULE 400 (oas, live). Names are case-sensitive (3p); the literal `Custom` is a placeholder (oas)
    "Custom": ({}, "GET", STATUS.format("Custom", SAMPLE_JOB), 400, "INVALID_MODULE", {"resource_path_index": 0}),
    # Missing job_id: REQUIRED_PARAM_MISSING, 404 (doc) or 400 (oas)
    "no job_id": ({}, "GET", NO_QUERY, 404, "REQUIRED_PARAM_MISSING", {"param_name": "job_id"}),
    # Malformed ID: related endpoints return INVALID_DATA with details.param_name (oas)
    "malformed job_id": ({}, "GET", OF_LEADS + "x", 400, "INVALID_DATA", {"param_name": "job_id"}),
    # Existing job of another module: 404, with code and message possibly null or missing (oas)
    "other module": ({}, "GET", STATUS.format("Deals", SAMPLE_JOB), 404, None, {}),
    # TOO_MANY_REQUESTS for both limits (oas)
    "no credits": ({"daily_credits": 0}, "GET", OF_LEADS, 429, "TOO_MANY_REQUESTS", {}),
    "too many": ({"concurrency": 0}, "GET", OF_LEADS, 429, "TOO_MANY_REQUESTS", {}),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name, control: ZohoControl, http_client: Http) -> None:
    settings, method, path, status, code, details = ERRORS[name]
    control.settings(**settings)
    control.start_job("Leads", job_id=SAMPLE_JOB)
    response = http_client.crm(method, path)
    content = response.json()
    assert (response.status, content.pop("code"), content.pop("details")) == (status, code, details)
    assert (content.keys(), content["status"]) == ({"message", "status"}, "error")


def test_an_unknown_job_is_a_204_in_every_module(control: ZohoControl, http_client: Http) -> None:
    # Unknown or from another organization: 204; only an existing job of another module is a 404 (oas). Job statuses
    # are kept for 60 days (doc)
    control.start_job("Leads", job_id=SAMPLE_JOB)
    http_client.token = control.issue_token(life_seconds=1e9)
    response = http_client.status_of("1")
    assert (response.status, response.data, response.headers.get("Content-Length")) == (204, b"", None)
    control.advance(60 * 86_400 - 1)
    assert http_client.crm("GET", OF_LEADS).status == 200
    control.advance(1)
    assert http_client.crm("GET", OF_LEADS).status == 204


@pytest.mark.parametrize(
    ("authorization", "scope", "status", "code"),
    [
        # 401: AUTHENTICATION_FAILURE without a token (live), INVALID_TOKEN (live). Bearer is reported to fail (3p)
        ("", "", 401, "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken", "", 401, "AUTHENTICATION_FAILURE"),
        ("Zoho-oauthtoken 1000.unknown", "", 401, "INVALID_TOKEN"),
        ("Bearer {}", "ZohoCRM.change_owner.READ", 401, "INVALID_TOKEN"),
        ("Zoho-oauthtoken {}", "ZohoCRM.change_owner.READ", 200, None),
        ("Zoho-oauthtoken {}", "ZohoCRM.change_owner.ALL", 200, None),
        # OAUTH_SCOPE_MISMATCH, 401 (doc)
        ("Zoho-oauthtoken {}", "ZohoCRM.change_owner.CREATE", 401, "OAUTH_SCOPE_MISMATCH"),
        ("Zoho-oauthtoken {}", "ZohoCRM.modules.ALL", 401, "OAUTH_SCOPE_MISMATCH"),
    ],
)
def test_authorization(authorization, scope, status, code, control: ZohoControl, http_client: Http) -> None:
    authorization = authorization.format(control.issue_token(scope))
    response = http_client.status_of(control.start_job(), authorization=authorization)
    assert (response.status, response.json().get("code")) == (status, code)


def test_an_expired_or_revoked_token_is_invalid(control: ZohoControl, http_client: Http) -> None:
    job_id = control.start_job()
    control.advance(3599)
    assert http_client.status_of(job_id).status == 200
    control.advance(1)
    assert http_client.status_of(job_id).json()["code"] == "INVALID_TOKEN"
    http_client.token = control.issue_token()
    assert control.revoke(http_client.token)
    assert http_client.status_of(job_id).status == 401
