"""The state machine that watches one job: the definition that ships, with the packaged function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.deployment import Deployment, template
from local.deployment.template import ROOT
from local.stack import Publication
from local.wait import wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests import schemas
from tests.deploy.reports import JOB_ID
from tests.deploy.scenarios import ANNOUNCE, BAD_JOB, BEGIN, COMPLETED, FAILED_WATCH, LAP

REQUEST = json.loads((ROOT / "events/step-functions.json").read_text(encoding="utf-8"))
SCHEDULE_ARN = "arn:aws:scheduler:us-east-1:123456789012:schedule/{}-watches/Leads-3652397000009565021"


def start_job(deployment: Deployment, run_seconds: float = 0, **job: Any) -> None:
    job = {"module": "Leads", "job_id": JOB_ID, "total": 50_000, **job}
    deployment.stack.zoho.control.start_job(run_seconds=run_seconds, **job)


def timeless(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


def content(publication: Publication) -> tuple[Any, ...]:
    """All of a message, with the times removed and the report in it parsed. The ID of an end holds its time."""
    texts = {protocol: timeless(text) for protocol, text in publication.texts.items()}
    texts["default"] = json.loads(texts["default"])
    attributes = {name: timeless(value["StringValue"]) for name, value in publication.attributes.items()}
    return publication.subject, publication.structure, attributes.keys(), texts


def test_a_job_that_succeeds_is_checked_until_it_ends_and_announced_once(deployment: Deployment) -> None:
    start_job(deployment, run_seconds=2.5)

    execution = deployment.watch(REQUEST)

    assert execution.status == "SUCCEEDED"
    laps = execution.states.count("Wait for next check")
    assert laps >= 1
    assert execution.states == [*BEGIN, *LAP * laps, *ANNOUNCE, COMPLETED]
    assert len(deployment.stack.zoho.control.stats().requests_to("crm")) == laps + 1
    (message,) = deployment.messages()
    assert message.attributes["outcome"] == "SUCCEEDED"
    assert message.body["checks"] == laps + 1
    output = {key: value for key, value in execution.output.items() if key not in ("announcement", "notification")}
    assert output == message.body


@pytest.mark.parametrize(
    ("job", "outcome", "last"),
    [
        ({}, "SUCCEEDED", COMPLETED),
        ({"failed": 500}, "PARTIALLY_SUCCEEDED", COMPLETED),
        ({"shape": "fails-half-way"}, "FAILED", BAD_JOB),
    ],
)
def test_the_announcement_is_the_functions_own_notification(
    deployment: Deployment, job: dict[str, Any], outcome: str, last: str
) -> None:
    start_job(deployment, **job)
    execution = deployment.watch(REQUEST).wait()
    assert execution.states == [*BEGIN, *ANNOUNCE, last]
    assert deployment.function.invoke({**REQUEST, "notify": True}).ok

    announced, notified = deployment.published()
    assert content(announced) == content(notified)
    assert announced.attributes["outcome"]["StringValue"] == outcome


def test_a_token_that_is_revoked_during_the_watch_is_replaced(deployment: Deployment) -> None:
    start_job(deployment, run_seconds=4)
    execution = deployment.watch(REQUEST)
    zoho = deployment.stack.zoho.control
    while not (first := zoho.stats().requests_to("crm")):
        pass
    zoho.revoke(first[0].token)

    assert execution.status == "SUCCEEDED"
    assert execution.errors == []
    stats = zoho.stats()
    assert [request.status for request in stats.requests_to("crm")].count(401) == 1
    assert stats.tokens_minted == 2


def test_a_watch_beyond_its_limit_is_announced_and_fails(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(WatchLimitSeconds=60)
    start_job(deployment, run_seconds=100_000)
    execution = deployment.watch({**REQUEST, "first_checked_at": "2026-01-01T00:00:00Z"})
    assert (execution.status, execution.error) == ("FAILED", "WATCH_TIMED_OUT")
    (message,) = deployment.messages()
    assert message.attributes["outcome"] == "WATCH_TIMED_OUT"


@pytest.mark.parametrize(("notify", "messages"), [(True, 1), (False, 0)])
def test_notify_in_the_input_decides_about_the_announcement(
    deployment: Deployment, notify: bool, messages: int
) -> None:
    start_job(deployment)
    assert deployment.watch({**REQUEST, "notify": notify}).status == "SUCCEEDED"
    assert len(deployment.messages()) == messages


def test_an_outage_of_zoho_and_then_of_secrets_manager_is_outlasted(deployment: Deployment) -> None:
    start_job(deployment)
    zoho = deployment.stack.zoho.control
    zoho.respond(status=503, times=1_000)
    execution = deployment.watch(REQUEST)
    execution.wait_for("TaskFailed", 2)
    zoho.clear_faults()
    assert execution.status == "SUCCEEDED"
    assert set(execution.errors) == {"ZohoUnavailable"}
    assert len(deployment.messages()) == 1


def test_checks_beyond_the_reserved_concurrency_are_repeated(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(ReservedConcurrency=1)
    zoho = deployment.stack.zoho.control
    jobs = [zoho.start_job(run_seconds=0) for _ in range(3)]
    zoho.fault("delay", times=2, side="crm", seconds=0.5)
    executions = [deployment.watch({"module": "Leads", "job_id": job}) for job in jobs]
    assert [execution.status for execution in executions] == ["SUCCEEDED"] * 3
    errors = {error for execution in executions for error in execution.errors}
    assert errors == {"Lambda.TooManyRequestsException"}


INVALID_TOKEN = {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}


@pytest.mark.parametrize(
    ("error", "how", "response"),
    [
        ("SecretInvalid", {"secret": '{"client_id": "1000.X"}'}, None),
        ("TokenRejected", {"secret": {**REFRESH_TOKEN_SECRET, "refresh_token": "1000.revoked"}}, None),
        ("TokenRejected", {}, {"status": 401, "body": INVALID_TOKEN}),
        ("ScopeMismatch", {}, {"status": 401, "body": {"code": "OAUTH_SCOPE_MISMATCH", "status": "error"}}),
        ("PermissionDenied", {}, {"status": 403, "body": {"code": "NO_PERMISSION", "status": "error"}}),
        ("InvalidModule", {}, {"status": 400, "body": {"code": "INVALID_MODULE", "status": "error"}}),
        ("JobNotFound", {}, {"status": 204}),
        ("ZohoUnexpectedResponse", {}, {"status": 200, "body": "<html>"}),
    ],
)
def test_an_error_that_is_not_retryable_is_announced_as_for_a_schedule(
    deploy: Callable[..., Deployment], error: str, how: dict[str, Any], response: dict[str, Any] | None
) -> None:
    deployment = deploy(**how)
    if response:
        deployment.stack.zoho.control.respond(**response, times=1_000)

    execution = deployment.watch(REQUEST)

    assert (execution.status, execution.error) == ("FAILED", error)
    assert execution.errors == []
    assert execution.states == [*BEGIN, *ANNOUNCE, FAILED_WATCH]
    (message,) = deployment.messages()
    assert message.body["error"] == {"type": error, "message": execution.cause}
    schedule = SCHEDULE_ARN.format(deployment.name)
    assert deployment.function.invoke({**REQUEST, "schedule_arn": schedule}).ok
    announced, notified = deployment.published()
    assert content(announced) == content(notified)


def test_an_invalid_configuration_is_announced_too(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(env={"ZOHO_API_VERSION": "eight"})
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "InvalidConfiguration")
    (message,) = deployment.messages()
    assert "ZOHO_API_VERSION" in message.body["error"]["message"]


def test_the_secret_that_the_stack_creates_is_empty_until_someone_fills_it(deployment: Deployment) -> None:
    secrets = deployment.stack.client("secretsmanager")
    empty = secrets.create_secret(Name=deployment.stack.unique("empty"))["ARN"]
    properties = template.resolve().properties("ZohoSecret")
    assert not {"SecretString", "GenerateSecretString"} & properties.keys()
    with deployment.stack.function(
        deployment.stack.unique("function"), env={"ZOHO_SECRET_ID": empty, "ZOHO_API_DOMAIN": deployment.stack.zoho.url}
    ) as function:
        result = function.invoke(REQUEST)
    assert result.error_type == "SecretInvalid"


@pytest.mark.parametrize(
    ("event", "module", "job_id"),
    [
        ("bad-job-id-number", "Leads", None),
        ("bad-missing-module", None, JOB_ID),
        ("bad-custom-module", "Custom", JOB_ID),
        ("bad-empty-object", None, None),
        ("bad-array", None, None),
    ],
)
def test_an_invalid_request_is_announced_too(
    deployment: Deployment, event: str, module: str | None, job_id: str | None
) -> None:
    payload = json.loads((ROOT / f"events/{event}.json").read_text(encoding="utf-8"))
    execution = deployment.watch(payload)
    assert (execution.status, execution.error) == ("FAILED", "InvalidInput")
    (message,) = deployment.messages()
    assert (message.body["module"], message.body["job_id"]) == (module, job_id)
    assert message.subject.isascii()
    assert len(message.subject) < 100


def test_an_envelope_is_a_request_too(deployment: Deployment) -> None:
    start_job(deployment, module="Deals")
    payload = json.loads((ROOT / "events/put-events.json").read_text(encoding="utf-8"))
    assert deployment.watch(payload).status == "SUCCEEDED"
    (message,) = deployment.messages()
    assert message.attributes["module"] == "Deals"


def test_a_failure_after_some_checks_continues_from_the_last_report(deployment: Deployment) -> None:
    start_job(deployment, run_seconds=1_000)
    execution = deployment.watch(REQUEST)
    execution.wait_for("WaitStateEntered")
    deployment.stack.zoho.control.respond(status=204, times=1_000)
    assert execution.error == "JobNotFound"
    (message,) = deployment.messages()
    assert message.body["checks"] == execution.states.count("Check status")
    assert message.body["first_checked_at"] < message.body["checked_at"]


def test_what_a_state_machine_caught_is_described_by_the_function(deploy: Callable[..., Deployment]) -> None:
    """The packaged function with one retry less than none: the first outage reaches the catcher."""

    def without_retries(machine: dict[str, Any]) -> dict[str, Any]:
        if check := machine["States"].get("Check status"):
            del check["Retry"]
        return machine

    deployment = deploy(alter=without_retries)
    deployment.stack.zoho.control.respond(status=503, times=1_000)
    execution = deployment.watch(REQUEST)
    assert (execution.status, execution.error) == ("FAILED", "ZohoUnavailable")
    (message,) = deployment.messages()
    assert message.body["error"] == {"type": "ZohoUnavailable", "message": execution.cause}
    assert message.body["job_id"] == JOB_ID


def test_credential_errors_are_what_the_alarm_counts(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(secret={**REFRESH_TOKEN_SECRET, "refresh_token": "1000.revoked"})
    total, *counts = deployment.template.properties("CredentialErrorsAlarm")["Metrics"]
    assert total["Expression"] == " + ".join(f"FILL({count['Id']}, 0)" for count in counts)
    counted = {
        (metric["Namespace"], metric["MetricName"], *(dimension["Value"] for dimension in metric["Dimensions"]))
        for metric in (count["MetricStat"]["Metric"] for count in counts)
    }
    deployment.watch(REQUEST).wait()

    def written() -> set[tuple[str, ...]]:
        return {
            ("MassChangeOwnerStatus", "Errors", document["FunctionName"], document["ErrorType"])
            for document in deployment.function.metrics
            if "ErrorType" in document
        }

    wait_until(lambda: bool(counted & written()), "a value of the metric")


def test_notices_about_an_unfinished_job_come_before_its_end(deploy: Callable[..., Deployment]) -> None:
    """A job that stands still from the third to the seventh of its ten seconds, and a check every second."""
    deployment = deploy(StillRunningNoticeSeconds=4, NoProgressNoticeSeconds=2, CheckIntervalMaxSeconds=1)
    start_job(deployment, run_seconds=10, shape="stall")

    execution = deployment.watch(REQUEST)

    assert execution.status == "SUCCEEDED"
    *notices, end = deployment.published()
    assert end.attributes["outcome"]["StringValue"] == "SUCCEEDED"
    kinds = [notice.attributes["notice"]["StringValue"] for notice in notices]
    assert set(kinds) == {"STILL_RUNNING", "NO_PROGRESS"}
    assert execution.states.count("Send notice") == len(notices)
    assert len({message.attributes["event_id"]["StringValue"] for message in [*notices, end]}) == len(notices) + 1
    for notice in notices:
        assert "outcome" not in notice.attributes
        assert (notice.report["outcome"], notice.report["finished"]) == (None, False)
        schemas.check("report", notice.report)
        schemas.check("message", notice.texts)


def test_a_notice_is_composed_for_a_state_machine_only(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(StillRunningNoticeSeconds=60)
    start_job(deployment, run_seconds=600)
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    earlier = {"first_checked_at": an_hour_ago, "checked_at": an_hour_ago}
    asked = deployment.function.invoke({**REQUEST, **earlier, "announcement": True}).payload
    schemas.check("report", asked)
    schemas.check("notice", asked["notice"])
    assert "notice" not in deployment.function.invoke({**REQUEST, **earlier}).payload
    assert not deployment.published()


@pytest.mark.parametrize("wanted", [True, False])
def test_the_text_for_a_chat_is_published_by_both_triggers_if_it_is_wanted(
    deploy: Callable[..., Deployment], wanted: bool
) -> None:
    deployment = deploy(ChatNotifications=str(wanted).lower())
    start_job(deployment, failed=500)
    deployment.watch(REQUEST).wait()
    assert deployment.function.invoke({**REQUEST, "notify": True}).ok

    announced, notified = deployment.published()
    assert announced.texts.keys() == notified.texts.keys()
    assert ("https" in announced.texts) == wanted
    for publication in (announced, notified) if wanted else ():
        schemas.check("message", publication.texts)
        chat = json.loads(publication.texts["https"])
        schemas.check("chat", chat)
        assert chat["content"]["title"] == publication.subject
        assert chat["metadata"]["threadId"] == f"Leads-{JOB_ID}"
        assert publication.report["outcome"] == "PARTIALLY_SUCCEEDED", "all others get the report"
