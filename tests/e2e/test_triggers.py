"""Every way in which the function is called, with the payloads of events/ as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.scene import EVENTS, JOB_ID, REPORT_KEYS, event

# The file, and whether the end of the job is published.
REQUESTS = [
    ("step-functions", False),
    ("report-fed-back", False),
    ("scheduler", True),
    ("rule-constant-input", True),
    ("put-events", True),
    ("put-events-string-detail", True),
]

# Display names that the files use.
API_NAMES = {"Price Books": "Price_Books", "meetings": "Events"}

REFUSALS = [
    ("bad-job-id-number", "quote"),
    ("bad-missing-module", "module"),
    ("bad-custom-module", "API name"),
    ("bad-empty-object", "job_id"),
    ("bad-array", "object"),
    ("scheduler-default-envelope", "module"),
]


def request_in(payload: dict) -> dict:
    """The request in a payload, the payload itself or the envelope's detail, with the module's API name."""
    detail = payload.get("detail", payload)
    request = json.loads(detail) if isinstance(detail, str) else detail
    return {**request, "module": API_NAMES.get(request["module"], request["module"])}


def recent(payload: dict, now: str) -> dict:
    """The payload with the times of an earlier report moved to just now, so that no watch has timed out."""
    return {**payload, **{name: now for name in ("first_checked_at", "checked_at") if name in payload}}


def test_every_file_is_tried():
    assert {file.stem for file in EVENTS.glob("*.json")} == {name for name, _ in REQUESTS + REFUSALS}


@pytest.mark.parametrize(("name", "published"), REQUESTS)
def test_an_unfinished_job_is_returned_and_never_published(scene, name, published):
    payload = event(name)
    request = request_in(payload)
    scene.running_job(request["module"], request["job_id"])
    now = scene.report(request["job_id"], request["module"])["checked_at"]

    answer = scene.fn.invoke(recent(payload, now))

    assert answer.ok, answer
    assert set(answer.payload) == REPORT_KEYS
    assert answer.payload["job_id"] == request["job_id"]
    assert (answer.payload["finished"], answer.payload["outcome"]) == (False, None)
    assert scene.published() == []


@pytest.mark.parametrize(("name", "published"), REQUESTS)
def test_a_finished_job_is_returned_or_published(scene, name, published):
    payload = event(name)
    request = request_in(payload)
    scene.finished_job(request["module"], request["job_id"])
    if "schedule_arn" in request:
        scene.create_schedule(request["schedule_arn"])

    answer = scene.fn.invoke(payload)

    assert answer.ok, answer
    assert answer.payload["outcome"] == "PARTIALLY_SUCCEEDED"
    more = {"notification"} if published else set()
    more |= {"schedule_deleted"} if "schedule_arn" in request else set()
    assert set(answer.payload) == REPORT_KEYS | more
    assert len(scene.published()) == int(published)
    assert len(scene.received()) == int(published)


@pytest.mark.parametrize("name", [name for name, published in REQUESTS if published])
def test_an_asynchronous_invocation_publishes_too(scene, name):
    payload = event(name)
    request = request_in(payload)
    scene.finished_job(request["module"], request["job_id"])
    if "schedule_arn" in request:
        scene.create_schedule(request["schedule_arn"])
    assert [attempt.ok for attempt in scene.fn.invoke_event(payload).wait()] == [True]
    assert len(scene.received()) == 1


@pytest.mark.parametrize(("name", "said"), REFUSALS)
def test_a_bad_payload_is_refused_with_a_reason(scene, name, said):
    answer = scene.fn.invoke(event(name))
    assert answer.error_type == "InvalidInput"
    assert said in answer.error_message
    assert "\n" not in answer.error_message
    assert scene.requests() == []


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (None, "object"),
        ("Leads", "object"),
        (7, "object"),
        ({"module": "Leads"}, "job_id"),
        ({"module": "", "job_id": JOB_ID}, "module"),
        ({"module": "Leads/x", "job_id": JOB_ID}, "module"),
        ({"module": "1Leads", "job_id": JOB_ID}, "module"),
        ({"module": "../Leads", "job_id": JOB_ID}, "module"),
        ({"module": "L" * 256, "job_id": JOB_ID}, "module"),
        ({"module": ["Leads"], "job_id": JOB_ID}, "module"),
        ({"module": "Leads", "job_id": ""}, "job_id"),
        ({"module": "Leads", "job_id": "12x"}, "job_id"),
        ({"module": "Leads", "job_id": "-1"}, "job_id"),
        ({"module": "Leads", "job_id": "1" * 21}, "job_id"),
        ({"module": "Leads", "job_id": "١٢٣"}, "job_id"),
        ({"module": "Leads", "job_id": JOB_ID, "schedule_arn": "arn:aws:events:us-east-1:1:rule/x"}, "schedule_arn"),
        ({"module": "Leads", "job_id": JOB_ID, "schedule_arn": "<aws.scheduler.schedule-arn>"}, "schedule_arn"),
        ({"module": "Leads", "job_id": JOB_ID, "schedule_arn": 1}, "schedule_arn"),
        ({"source": "a", "detail-type": "b", "detail": None}, "detail"),
        ({"source": "a", "detail-type": "b", "detail": "no JSON"}, "detail"),
        ({"source": "a", "detail-type": "b", "detail": {"module": "Leads"}}, "job_id"),
    ],
    ids=lambda value: json.dumps(value)[:60] if not isinstance(value, str) else value,
)
def test_a_payload_that_is_no_request(scene, payload, said):
    answer = scene.fn.invoke(payload)
    assert answer.error_type == "InvalidInput"
    assert said in answer.error_message
    assert scene.requests() == []


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("Leads", "Leads"),
        ("leads", "Leads"),
        ("LEADS", "Leads"),
        ("Meetings", "Events"),
        ("meetings", "Events"),
        ("Events", "Events"),
        ("Price Books", "Price_Books"),
        ("price books", "Price_Books"),
        ("Price_Books", "Price_Books"),
        ("Sales Orders", "Sales_Orders"),
        ("Purchase Orders", "Purchase_Orders"),
        ("CustomModule1", "CustomModule1"),
        ("zohosign__ZohoSign_Documents", "zohosign__ZohoSign_Documents"),
    ],
)
def test_display_names_become_api_names(scene, given, asked):
    scene.running_job(asked)
    assert scene.report(module=given)["module"] == asked
    assert scene.requests()[-1].path == f"/crm/v8/{asked}/actions/mass_change_owner"


def test_unknown_fields_are_ignored(scene):
    scene.running_job()
    assert scene.report(color="green", execution={"id": 1})["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("changes", "published"),
    [({"notify": True}, True), ({"notify": False}, False), ({}, False)],
)
def test_notify_decides_for_a_bare_request(scene, changes: dict[str, Any], published):
    scene.finished_job()
    report = scene.report(**changes)
    assert ("notification" in report) == published
    assert len(scene.received()) == int(published)
