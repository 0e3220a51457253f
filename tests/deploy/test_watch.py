"""The state machine that watches one job: the definition that ships, with the packaged function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.deployment import Deployment
from local.deployment.template import ROOT
from tests import schemas
from tests.deploy.reports import JOB_ID
from tests.deploy.scenarios import ANNOUNCE, BAD_JOB, BEGIN, COMPLETED, LAP

REQUEST = json.loads((ROOT / "events/step-functions.json").read_text(encoding="utf-8"))


def start_job(deployment: Deployment, run_seconds: float = 0, **job: Any) -> None:
    job = {"module": "Leads", "job_id": JOB_ID, "total": 50_000, **job}
    deployment.stack.zoho.control.start_job(run_seconds=run_seconds, **job)


def test_a_job_that_succeeds_is_checked_until_it_ends_and_announced_once(deployment: Deployment) -> None:
    start_job(deployment, run_seconds=1_000)
    execution = deployment.watch(REQUEST)
    execution.wait_for("WaitStateEntered")
    deployment.stack.zoho.control.advance(1_001)
    assert execution.status == "SUCCEEDED"
    laps = execution.states.count("Wait for next check")
    assert laps >= 1
    assert execution.states == [*BEGIN, *LAP * laps, *ANNOUNCE, COMPLETED]
    assert len(deployment.stack.zoho.control.stats().requests_to("crm")) == laps + 1
    (message,) = deployment.published()
    assert (message.values["outcome"], message.report["checks"]) == ("SUCCEEDED", laps + 1)
    output = {key: value for key, value in execution.output.items() if key not in ("announcement", "notification")}
    assert output == message.report


@pytest.mark.parametrize("chat", ["true", "false"])
@pytest.mark.parametrize(
    ("job", "outcome", "last"),
    [
        ({"failed": 500}, "PARTIALLY_SUCCEEDED", COMPLETED),
        ({"shape": "fails-half-way"}, "FAILED", BAD_JOB),
    ],
)
def test_the_announcement_is_the_functions_own_notification(
    deploy: Callable[..., Deployment], chat: str, job: dict[str, Any], outcome: str, last: str
) -> None:
    deployment = deploy(ChatNotifications=chat)
    start_job(deployment, **job)
    execution = deployment.watch(REQUEST).wait()
    assert execution.states == [*BEGIN, *ANNOUNCE, last]
    assert deployment.function.invoke({**REQUEST, "notify": True}).ok

    announced, notified = deployment.published()
    assert (announced.subject, announced.structure) == (notified.subject, notified.structure)
    assert announced.attributes == notified.attributes
    assert announced.texts.keys() == notified.texts.keys()
    times = ("checked_at", "first_checked_at")
    assert {**announced.report, **dict.fromkeys(times)} == {**notified.report, **dict.fromkeys(times)}
    assert announced.values["outcome"] == announced.report["outcome"] == outcome
    for publication in (announced, notified):
        schemas.check("message", publication.texts)
        assert ("https" in publication.texts) == (chat == "true")
        if chat == "true":
            assert json.loads(publication.texts["https"])["content"]["title"] == publication.subject


def test_checks_beyond_the_reserved_concurrency_are_repeated(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(ReservedConcurrency=1)
    zoho = deployment.stack.zoho.control
    jobs = [zoho.start_job(run_seconds=0) for _ in range(3)]
    zoho.fault("delay", times=2, side="crm", seconds=0.5)
    executions = [deployment.watch({"module": "Leads", "job_id": job}) for job in jobs]
    assert [execution.status for execution in executions] == ["SUCCEEDED"] * 3
    errors = {error for execution in executions for error in execution.errors}
    assert errors == {"Lambda.TooManyRequestsException"}


def test_a_watch_goes_on_whatever_zoho_says(deployment: Deployment) -> None:
    """It begins in an outage. Once it has worked, even a job that Zoho does not know for a while ends nothing."""
    start_job(deployment, run_seconds=1_000)
    zoho = deployment.stack.zoho.control
    zoho.respond(status=503, times=3)
    execution = deployment.watch(REQUEST)
    execution.wait_for("WaitStateEntered", 2)
    zoho.respond(status=204, times=1)
    zoho.respond(status=503, times=3)
    zoho.advance(1_001)
    assert (execution.status, execution.errors) == ("SUCCEEDED", [])
    (message,) = deployment.published()
    assert message.report["checks"] == execution.states.count("Check status") >= 4
    assert "error" not in message.report


def test_notices_about_an_unfinished_job_come_before_its_end(deploy: Callable[..., Deployment]) -> None:
    """A job that stands still from the third to the seventh of its ten seconds, and a check every second."""
    deployment = deploy(StillRunningNoticeSeconds=1, NoProgressNoticeSeconds=2, CheckIntervalMaxSeconds=1)
    start_job(deployment, run_seconds=10, shape="stall")

    execution = deployment.watch(REQUEST)

    assert execution.status == "SUCCEEDED"
    *notices, end = deployment.published()
    assert end.values["outcome"] == "SUCCEEDED"
    kinds = [notice.values["notice"] for notice in notices]
    assert set(kinds) == {"STILL_RUNNING", "NO_PROGRESS"}
    assert execution.states.count("Send notice") == len(notices)
    assert len({message.values["event_id"] for message in [*notices, end]}) == len(notices) + 1
    for notice in notices:
        assert "outcome" not in notice.values
        assert (notice.report["outcome"], notice.report["finished"]) == (None, False)
        schemas.check("report", notice.report)
        schemas.check("message", notice.texts)
