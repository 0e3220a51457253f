"""The dashboard and the saved queries of the template, on what the function really writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from local.cloudwatch import embedded_metric_format as emf
from local.cloudwatch import insights
from local.dashboard import __main__ as program
from local.dashboard import picture, scenario
from local.dashboard.widgets import Alarms, Chart, Table, evaluate
from local.deployment import template
from local.stack import Stack

DOCS = Path(__file__).resolve().parents[2] / "docs"
WIDGETS = {
    "alarm": {"title", "alarms"},
    "metric": {"title", "region", "view", "period", "metrics"},
    "log": {"title", "region", "view", "query"},
}


Lines = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def lines() -> Iterator[Lines]:
    """The log lines and the metrics of four jobs: one ended, one runs, one is unknown, and one meets an outage."""
    with Stack() as stack:
        zoho = stack.zoho.control
        secret = stack.secret({"access_token": zoho.issue_token(life_seconds=1e9)})
        env = {"ZOHO_SECRET_ID": secret, "ZOHO_API_DOMAIN": stack.zoho.url, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
        with stack.function(template.resolve().references["CheckFunction"], env=env) as function:
            ended = zoho.start_job(job_id="1001", run_seconds=10)
            zoho.start_job(job_id="1002", run_seconds=1e6)
            report = function.invoke({"module": "Leads", "job_id": ended}).payload
            zoho.advance(20)
            function.invoke(report)
            for job_id in ("1002", "1003"):
                function.invoke({"module": "Leads", "job_id": job_id})
            zoho.respond(status=503, times=3)
            function.invoke({"module": "Leads", "job_id": "1004"})
            function.stop()
            yield function.logs, function.metrics


def body() -> dict[str, Any]:
    return template.resolve().dashboard


def query(resource: str) -> str:
    return template.resolve().properties(resource)["QueryString"]


def test_the_widgets_are_complete_and_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for widget in body()["widgets"]:
        assert WIDGETS[widget["type"]] <= widget["properties"].keys()
        assert 1 <= widget["width"] <= 24 - widget["x"]
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        taken |= cells


def test_every_alarm_is_on_the_dashboard():
    resolved = template.resolve()
    alarms = {
        resolved.arns[name] for name, one in resolved.resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    (widget,) = (widget for widget in body()["widgets"] if widget["type"] == "alarm")
    assert set(widget["properties"]["alarms"]) == alarms
    runbook = (DOCS / "runbook.md").read_text(encoding="utf-8")
    for arn in alarms:
        assert f"| `{arn.rsplit('-', 1)[1]}` |" in runbook


def test_every_metric_of_the_dashboard_is_documented():
    documented = dict(
        re.findall(
            r"^\| `(\w+)` \| \w+ \| `(FunctionName.*?)` \|", (DOCS / "metrics.md").read_text("utf-8"), re.MULTILINE
        )
    )
    shown = set()
    for widget in body()["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                dimensions, name = re.search(
                    r"\{MassChangeOwnerStatus,([\w,]+)\}.*MetricName=\"(\w+)\"", metric[0]["expression"]
                ).groups()
                assert documented[name].replace("`", "").replace(" ", "") == dimensions
            else:
                assert metric[0] == "MassChangeOwnerStatus"
                assert documented[metric[1]] == metric[2] == "FunctionName"
                name = metric[1]
            shown.add(name)
    assert shown == documented.keys()


def test_what_happened_to_a_job(lines):
    rows = insights.run(query("WhatHappenedQuery").replace('"N"', '"1001"'), lines[0])
    assert [row["status"] for row in rows] == ["RUNNING", "COMPLETED"]
    assert rows[0]["next_check_seconds"] >= 10
    assert rows[1]["outcome"] == "SUCCEEDED"
    assert set(rows[1][""]) >= {"@timestamp", "status", "outcome", "error_type"}
    assert "fields @timestamp, module, status" in (DOCS / "runbook.md").read_text(encoding="utf-8")


def test_the_jobs_in_progress(lines):
    rows = insights.run(query("JobsInProgressQuery"), lines[0])
    assert {row["job_id"] for row in rows} == {"1002", "1003", "1004"}, "all but the one that ended"
    (running,) = (row for row in rows if row["job_id"] == "1002")
    assert (running["last_status"], running["checks"]) == ("RUNNING", 1)


def test_the_errors_by_name(lines):
    rows = insights.run(query("ErrorsByNameQuery"), lines[0])
    assert {row["error_type"]: (row["checks"], row["last_job"]) for row in rows} == {
        "JobNotFound": (1, "1003"),
        "ZohoUnavailable": (1, "1004"),
    }


def test_the_slowest_checks(lines):
    rows = insights.run(query("SlowestChecksQuery"), lines[0])
    assert len(rows) == 5
    assert rows[0]["job_id"] == "1004", "three attempts with pauses"


def test_the_widgets_ask_what_the_saved_queries_ask(lines):
    saved = {" ".join(query(name).split()) for name in ("ErrorsByNameQuery", "JobsInProgressQuery")}
    shown = {
        widget["properties"]["query"].partition(" | ")[2] for widget in body()["widgets"] if widget["type"] == "log"
    }
    assert shown == saved


@pytest.fixture
def widgets(lines: Lines) -> list[tuple[dict[str, Any], Any]]:
    """Every widget of the template with its content."""
    resolved = template.resolve()
    metrics = emf.points(lines[1])
    began = min(point.at for point in metrics)
    dashboard, observed = scenario.observed(resolved, lines[0], metrics, began, began + 30)
    return [(widget, evaluate(widget, observed)) for widget in dashboard["widgets"]]


def test_every_widget_is_evaluated(widgets):
    assert len(widgets) == len(body()["widgets"])
    kinds = {"alarm": Alarms, "metric": Chart, "log": Table}
    assert all(isinstance(content, kinds[widget["type"]]) for widget, content in widgets)
    charts = {
        widget["properties"]["title"]: {label: sum(series.values()) for label, series in content.lines}
        for widget, content in widgets
        if isinstance(content, Chart)
    }
    assert charts["Ends of watches by outcome"] == {"SUCCEEDED": 1}
    assert charts["Errors by name"] == {"JobNotFound": 1, "ZohoUnavailable": 1}
    assert charts["Checks and attempts"] == {"checks": 5, "attempts": 7, "cold starts": 1}
    assert charts["Tokens and rate limits"] == {"tokens minted": 0, "rate limits": 0}
    assert all(0 < value < 60_000 for value in charts["Latency of Zoho's API"].values())
    assert charts["Bound on the lateness of announcements"].keys() == {"p50", "maximum"}
    tables = [content for _, content in widgets if isinstance(content, Table)]
    assert [table.columns[0] for table in tables] == ["error_type", "module"]


def test_the_states_of_the_alarms(lines):
    """Nothing but rejected credentials raises the alarm on them, and only for as long as its period lasts."""
    resolved = template.resolve()
    function = {"FunctionName": resolved.references["CheckFunction"]}
    rejected = emf.Point(100, "MassChangeOwnerStatus", "Errors", {**function, "ErrorType": "TokenRejected"}, 1)
    for ended, expected in ((101, {"CredentialErrorsAlarm"}), (101 + 300 / scenario.SPEED, set())):
        dashboard, observed = scenario.observed(resolved, [], [rejected], 98, ended)
        (content,) = (evaluate(widget, observed) for widget in dashboard["widgets"] if widget["type"] == "alarm")
        assert {name for name, state in content.states.items() if state == "ALARM"} == expected


def test_the_picture_has_every_widget(widgets):
    drawn = picture.svg(widgets, 1_800, "note")
    titles = [widget["properties"]["title"] for widget, _ in widgets]
    for text in (drawn, program.PICTURE.read_text(encoding="utf-8")):
        texts = [
            element.text
            for element in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")
            if element.get("class") == "title"
        ]
        assert texts == titles
