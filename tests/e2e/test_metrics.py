"""The metrics as CloudWatch reads them from the log: docs/metrics.md, line by line."""

from __future__ import annotations

import re
from pathlib import Path

from local.deployment import template
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests import schemas
from tests.e2e.scene import Scene, status

NAMESPACE = "MassChangeOwnerStatus"
ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "src/metrics.rs").read_text(encoding="utf-8")


def metrics(scene: Scene) -> dict[tuple[str, ...], list[float]]:
    """The values by name, unit, and the dimensions but for the name of the function; every line is valid."""
    scene.fn.stop()
    found: dict[tuple[str, ...], list[float]] = {}
    for document in scene.fn.metrics:
        assert document["_aws"].keys() == {"Timestamp", "CloudWatchMetrics"}
        assert document["FunctionName"] == scene.fn.name
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == NAMESPACE
            (dimensions,) = directive["Dimensions"]
            more = [document[name] for name in dimensions if name != "FunctionName"]
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                found.setdefault((metric["Name"], metric["Unit"], *more), []).extend(
                    values if isinstance(values, list) else [values]
                )
    return found


def test_a_watch_from_its_first_check_to_its_end(make_scene):
    scene = make_scene(secret=REFRESH_TOKEN_SECRET)
    scene.running_job()
    first = scene.report()
    scene.zoho.respond(500, side="crm")
    scene.zoho.respond(body=status(Updated_Count=50_000, Failed_Count=0))
    scene.fn.invoke(first)
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
    scene.zoho.respond(status=429, body={"code": "TOO_MANY_REQUESTS"}, times=6)
    scene.check()
    assert scene.report(announcement=True)["outcome"] is None
    scene.check(job_id="not a job")
    scene.check(announcement=None, failure={"Error": "States.Timeout", "Cause": "late"})
    found = metrics(scene)
    assert found[("RateLimits", "Count")] == [3, 3]
    assert found[("Errors", "Count", "ZohoRateLimited")] == [1, 1], "also if the invocation succeeds"
    assert found[("Errors", "Count", "InvalidInput")] == [1]
    assert found[("Errors", "Count", "Other")] == [1], "the name of a caught error is not a dimension"
    assert found[("Ends", "Count", "WATCH_FAILED")] == [1]
    assert found[("Checks", "Count")] == [1, 1], "nothing was asked of Zoho for the other two"


def names_in_the_source() -> set[str]:
    names = set(re.findall(r'^const [A-Z_]+: &str = "([A-Z]\w+)";', SOURCE, re.MULTILINE))
    return names - {"FunctionName", "Outcome", "ErrorType", "Other"}


def test_the_document_names_every_metric():
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| `FunctionName`", text, re.MULTILINE)
    assert {name for name, _ in rows} == names_in_the_source()


def test_what_the_template_names_exists():
    """Each metric of the dashboard and the alarms, and each field of the log in a query."""
    resolved = template.resolve()
    text = str(resolved.resources)
    alarms = set(re.findall(rf"'Namespace': '{NAMESPACE}', 'MetricName': '(\w+)'", text))
    errors = {one["const"] for one in schemas.schema("error")["$defs"]["ErrorType"]["oneOf"]}
    assert errors >= set(re.findall(r"'Name': 'ErrorType', 'Value': '(\w+)'", text)) > {"TokenRejected"}
    widgets = set(re.findall(rf'"{NAMESPACE}", ?"(\w+)"', text)) | set(re.findall(r'MetricName=\\*"(\w+)\\*"', text))
    assert {"Checks", "Errors"} <= alarms | widgets <= names_in_the_source()
    assert len(widgets) > 4
    record = (ROOT / "src/record.rs").read_text(encoding="utf-8")
    fields = record.partition("tracing::$level!(")[2].partition(")")[0]
    logged = set(re.findall(r"\b(\w+),", fields)) | {"message"}
    queries = [one["Properties"]["QueryString"] for one in resolved.resources.values() if "Query" in one["Type"]]
    queries += [one["properties"]["query"] for one in resolved.dashboard["widgets"] if one["type"] == "log"]
    assert len(queries) == 3
    made_there = set(re.findall(r"\bas (\w+)", " ".join(queries)))
    made_there |= {"latest", "max", "count", "ispresent", "coalesce"}
    words = r"(?:filter|fields|display|stats|by|sort|and|latest\(|coalesce\(|count\(|ispresent\(|,) ?(\w+)"
    used = {word for query in queries for word in re.findall(words, query)}
    assert used - made_there <= logged, "a query names a field that no line has"
