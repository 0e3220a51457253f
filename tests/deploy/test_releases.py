"""An update replaces the function at once, while running executions keep the definitions that they started with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.deployment import Deployment, template
from local.deployment.template import Resolved
from tests.deploy.reports import JOB_ID
from tests.deploy.scenarios import ANNOUNCE, BEGIN, COMPLETED, LAP, REQUEST

PREVIOUS = Path(__file__).parent / "previous"


def previous(resource: str, stack: Resolved) -> str:
    """The definition of the previous release, in the present stack."""
    name = Path(template.source()["Resources"][resource]["Properties"]["DefinitionUri"]).name
    text = (PREVIOUS / name).read_text(encoding="utf-8")
    for key, value in stack.properties(resource)["DefinitionSubstitutions"].items():
        text = text.replace("${" + key + "}", value)
    return text


def test_a_running_list_of_the_previous_release_goes_on_with_the_function(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through an outage, after which its job has ended."""
    monkeypatch.setattr("local.deployment.deployment.definition", previous)
    deployment = deploy(CheckIntervalMaxSeconds=1)
    zoho = deployment.stack.zoho.control
    zoho.start_job(module="Leads", job_id=JOB_ID, run_seconds=1_000)
    many = deployment.watch_many({"jobs": [REQUEST]})
    while not (watches := deployment.executions()):
        pass
    (execution,) = watches
    execution.wait_for("WaitStateEntered")
    zoho.respond(status=503, times=3)
    zoho.advance(1_001)
    assert execution.status == "SUCCEEDED"
    laps = execution.states.count("Wait for next check")
    assert execution.states == [*BEGIN, *LAP * laps, *ANNOUNCE, COMPLETED]
    assert execution.output["checks"] == laps + 1
    assert many.status == "SUCCEEDED"
    assert deployment.outcomes() == ["SUCCEEDED", "SUMMARY"]
