"""The metrics as CloudWatch would read them from the log: docs/metrics.md, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.cloudwatch import embedded_metric_format as emf
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.scene import Scene, status

NAMESPACE = "MassChangeOwnerStatus"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/metrics.md"


def metrics(scene: Scene) -> dict[tuple[str, ...], list[float]]:
    """Name, unit, and the dimensions but for the name of the function; every line is valid."""
    scene.fn.stop()
    documents = scene.fn.metrics
    for document in documents:
        emf.check(document)
        assert document["FunctionName"] == scene.fn.name
        assert {directive["Namespace"] for directive in document["_aws"]["CloudWatchMetrics"]} == {NAMESPACE}
    return {
        (name, unit, *more): values
        for (name, unit, function, *more), values in emf.values(documents).items()
        if function == scene.fn.name
    }


def test_a_watch_from_its_first_check_to_its_end(make_scene):
    scene = make_scene(secret=REFRESH_TOKEN_SECRET)
    scene.running_job()
    first = scene.report()
    scene.zoho.fault("server-error", side="crm")
    scene.zoho.respond(body=status(Updated_Count=50_000, Failed_Count=0))
    then = first["checked_at"].replace("Z", "+00:00")
    scene.report(checks=1, first_checked_at=then, checked_at=then)
    found = metrics(scene)
    assert found[("ColdStarts", "Count")] == [1]
    assert found[("Checks", "Count")] == [1, 1]
    assert found[("Attempts", "Count")] == [1, 2]
    assert found[("TokensMinted", "Count")] == [1]
    assert found[("Ends", "Count", "SUCCEEDED")] == [1]
    assert len(found[("ZohoLatency", "Milliseconds")]) == 3
    assert all(0 < value < 60_000 for value in found[("ZohoLatency", "Milliseconds")])
    (lateness,) = found[("LatenessBound", "Seconds")]
    assert 0 <= lateness < 60
    assert not any(name in ("Errors", "RateLimits") for name, *_ in found)


def test_errors_and_rate_limits_by_name(scene):
    scene.zoho.respond(status=429, body={"code": "TOO_MANY_REQUESTS"}, times=3)
    scene.check()
    scene.check(job_id="not a job")
    scene.check(announcement=None, failure={"Error": "States.Timeout", "Cause": "late"})
    found = metrics(scene)
    assert found[("RateLimits", "Count")] == [3]
    assert found[("Errors", "Count", "ZohoRateLimited")] == [1]
    assert found[("Errors", "Count", "InvalidInput")] == [1]
    assert found[("Errors", "Count", "Other")] == [1], "the name of a caught error is not a dimension"
    assert found[("Ends", "Count", "WATCH_FAILED")] == [1]
    assert found[("Checks", "Count")] == [1], "nothing was asked of Zoho for the other two"


def test_no_dimension_grows_with_the_jobs(scene):
    scene.zoho.respond(body=status(), times=3)
    for job_id in ("1001", "1002", "1003"):
        scene.check(job_id=job_id)
    assert metrics(scene)[("Ends", "Count", "PARTIALLY_SUCCEEDED")] == [1, 1, 1]
    assert not re.search(r"100[123]\"", str(scene.fn.metrics))


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_metrics_do_not_depend_on_the_log(make_scene, level, log_format):
    scene = make_scene(env={"AWS_LAMBDA_LOG_FORMAT": log_format, "AWS_LAMBDA_LOG_LEVEL": level})
    scene.zoho.respond(body=status())
    scene.report()
    assert metrics(scene)[("Checks", "Count")] == [1]


def test_a_function_without_a_configuration_counts_its_errors(make_scene):
    scene = make_scene(env={"ZOHO_SECRET_ID": None})
    scene.check()
    assert metrics(scene)[("Errors", "Count", "InvalidConfiguration")] == [1]


def test_the_document_names_every_metric():
    """The table and the source agree on names and units."""
    source = (DOCUMENT.parents[1] / "src/metrics.rs").read_text(encoding="utf-8")
    names = set(re.findall(r'^const [A-Z_]+: &str = "([A-Z]\w+)";', source, re.MULTILINE))
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| `FunctionName`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in rows} == names - {"FunctionName", "Outcome", "ErrorType", "Other"}
