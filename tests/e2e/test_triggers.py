"""Every trigger, with the payloads of events/ as they are. src/watch/request/tests.rs has the details."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.scene import EVENTS, JOB_ID, REPORT_KEYS, event

# Each file, and whether the end of the job is published.
REQUESTS = [
    ("step-functions", False),
    ("report-fed-back", False),
    ("scheduler", True),
    ("rule-constant-input", True),
    ("put-events", True),
    ("put-events-string-detail", True),
]

# The display names in these files.
API_NAMES = {"Price Books": "Price_Books", "meetings": "Events"}

INVALID = [
    ("bad-job-id-number", "Quote"),
    ("bad-missing-module", "module"),
    ("bad-custom-module", "API name"),
    ("bad-empty-object", "job_id"),
    ("bad-array", "object"),
]


def request_in(payload: dict) -> dict:
    """The request: the payload itself or the detail of its envelope, with the API name of the module."""
    detail = payload.get("detail", payload)
    request = json.loads(detail) if isinstance(detail, str) else detail
    return {**request, "module": API_NAMES.get(request["module"], request["module"])}


def recent(payload: dict, now: str) -> dict:
    """The payload with the times of an earlier report replaced by now, so that the watch has not timed out."""
    return {**payload, **{name: now for name in ("first_checked_at", "checked_at") if name in payload}}


def test_every_file_is_used():
    assert {file.stem for file in EVENTS.glob("*.json")} == {name for name, _ in REQUESTS + INVALID} | {
        "scheduler-default-envelope"
    }


@pytest.mark.parametrize(("name", "published"), REQUESTS)
def test_an_unfinished_job_is_returned_and_never_published(scene, name, published):
    payload = event(name)
    request = request_in(payload)
    scene.running_job(request["module"], request["job_id"])
    now = scene.report(request["job_id"], request["module"])["checked_at"]

    result = scene.fn.invoke(recent(payload, now))

    assert result.ok, result
    assert set(result.payload) == REPORT_KEYS
    assert result.payload["job_id"] == request["job_id"]
    assert (result.payload["finished"], result.payload["outcome"]) == (False, None)
    assert scene.published() == []


@pytest.mark.parametrize(("name", "published"), REQUESTS)
def test_a_finished_job_is_returned_or_published(scene, name, published):
    payload = event(name)
    request = request_in(payload)
    scene.finished_job(request["module"], request["job_id"])
    if "schedule_arn" in request:
        scene.create_schedule(request["schedule_arn"])

    result = scene.fn.invoke(payload)

    assert result.ok, result
    assert result.payload["outcome"] == "PARTIALLY_SUCCEEDED"
    more = {"notification"} if published else set()
    more |= {"schedule_deleted"} if "schedule_arn" in request else set()
    assert set(result.payload) == REPORT_KEYS | more
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


@pytest.mark.parametrize(("name", "part"), INVALID)
def test_an_invalid_event_is_rejected_with_a_reason(scene, name, part):
    result = scene.fn.invoke(event(name))
    assert result.error_type == "InvalidInput"
    assert part in result.error_message
    assert "\n" not in result.error_message
    assert scene.requests() == []


def test_schedulers_default_envelope_has_no_request_and_ends_the_watch(scene):
    payload = event("scheduler-default-envelope")
    (schedule,) = payload["resources"]
    scene.create_schedule(schedule)
    report = scene.fn.invoke(payload).payload
    assert (report["outcome"], report["error"]["type"]) == ("WATCH_FAILED", "InvalidInput")
    assert "`module` is missing" in report["error"]["message"]
    assert len(scene.received()) == 1
    assert not scene.schedule_exists(schedule)


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        (7, "object"),
        ({"module": "../Leads", "job_id": JOB_ID}, "module"),
        ({"module": "Leads", "job_id": "12x"}, "job_id"),
        ({"module": "Leads", "job_id": JOB_ID, "schedule_arn": "arn:aws:events:us-east-1:1:rule/x"}, "schedule_arn"),
        ({"source": "a", "detail-type": "b", "detail": "not JSON"}, "detail"),
    ],
    ids=lambda value: json.dumps(value)[:60] if not isinstance(value, str) else value,
)
def test_a_payload_that_is_not_a_request(scene, payload, part):
    result = scene.fn.invoke(payload)
    assert result.error_type == "InvalidInput"
    assert part in result.error_message
    assert scene.requests() == []


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("meetings", "Events"),
        ("Price Books", "Price_Books"),
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
