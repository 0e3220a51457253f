"""Every trigger, with the payloads of events/ as they are. src/watch/request/tests.rs has the details."""

from __future__ import annotations

import json

import pytest

from tests.e2e.scene import EVENTS, JOB_ID, REPORT_KEYS, event

# Each file, and whether the end of the job is published.
REQUESTS = {
    "step-functions": False,
    "report-fed-back": False,
    "scheduler": True,
    "rule-constant-input": True,
    "put-events": True,
    "put-events-string-detail": True,
}
# The display names in these files.
API_NAMES = {"Price Books": "Price_Books", "meetings": "Events"}
INVALID = {
    "bad-job-id-number": "Quote",
    "bad-missing-module": "module",
    "bad-custom-module": "API name",
    "bad-empty-object": "job_id",
    "bad-array": "object",
}


def request_in(payload: dict) -> dict:
    """The request: the payload itself or the detail of its envelope, with the API name of the module."""
    detail = payload.get("detail", payload)
    request = json.loads(detail) if isinstance(detail, str) else detail
    return {**request, "module": API_NAMES.get(request["module"], request["module"])}


def test_every_file_is_used():
    assert {file.stem for file in EVENTS.glob("*.json")} == {*REQUESTS, *INVALID, "scheduler-default-envelope"}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_watch_from_a_running_job_to_its_end(scene, name):
    payload = event(name)
    request = request_in(payload)
    scene.running_job(request["module"], request["job_id"])
    # An earlier report is from now, so that the watch has not timed out.
    now = scene.report(request["job_id"], request["module"])["checked_at"]
    recent = {key: now for key in ("first_checked_at", "checked_at") if key in payload}

    running = scene.fn.invoke({**payload, **recent})
    assert running.ok, running
    assert set(running.payload) == REPORT_KEYS
    assert (running.payload["job_id"], running.payload["finished"]) == (request["job_id"], False)
    assert scene.published() == []

    scene.zoho.advance(200_000)
    if is_scheduled := "schedule_arn" in request:
        scene.create_schedule(request["schedule_arn"], request["job_id"], module=request["module"])
    (ended,) = scene.fn.invoke_event(payload).wait()
    assert ended.payload["outcome"] == "SUCCEEDED"
    more = {"notification"} if REQUESTS[name] else set()
    assert set(ended.payload) == REPORT_KEYS | more | ({"schedule_deleted"} if is_scheduled else set())
    assert len(scene.received()) == REQUESTS[name]


def test_an_invalid_event_is_rejected_with_a_reason(scene):
    for name, reason in INVALID.items():
        result = scene.fn.invoke(event(name))
        assert (result.error_type, reason in result.error_message) == ("InvalidInput", True), name
        assert "\n" not in result.error_message
    assert scene.requests() == []


def test_schedulers_default_envelope_has_no_request_and_ends_the_watch(scene):
    payload = event("scheduler-default-envelope")
    (schedule,) = payload["resources"]
    scene.create_schedule(schedule, None, module=None)
    report = scene.fn.invoke(payload).payload
    assert (report["outcome"], report["error"]["type"]) == ("WATCH_FAILED", "InvalidInput")
    assert "`module` is missing" in report["error"]["message"]
    assert len(scene.received()) == 1
    assert scene.schedule(schedule) is None


def test_text_display_names_and_unknown_fields_are_understood(scene):
    scene.running_job("Events")
    report = scene.fn.invoke(json.dumps({"module": "meetings", "job_id": JOB_ID, "color": "green"})).payload
    assert (report["module"], report["status"]) == ("Events", "RUNNING")
    (request,) = scene.requests()
    assert (request.method, request.path) == ("GET", "/crm/v8/Events/actions/mass_change_owner")
    assert (request.query, request.scheme, request.body) == (f"job_id={JOB_ID}", "Zoho-oauthtoken", "")
    assert (request.headers["accept"], request.headers["accept-encoding"]) == ("application/json", "identity")
    assert request.headers["user-agent"].startswith("mass-change-owner-status/0.")


def test_unexpected_headers_of_a_runtime_end_nothing(scene):
    scene.running_job()
    headers = {"Lambda-Runtime-Client-Context": '{"custom": {"a": 1}}', "Lambda-Runtime-Cognito-Identity": "[1]"}
    headers |= {"Lambda-Runtime-Trace-Id": "?", "Lambda-Runtime-Deadline-Ms": "1"}
    assert scene.fn.invoke({"module": "Leads", "job_id": JOB_ID}, headers=headers).payload["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1
