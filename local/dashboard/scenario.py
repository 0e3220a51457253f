"""A run of the packaged function for the picture: jobs with every outcome, an outage, rate limits, and mistakes.

The deployed template runs on the local stack: state machines watch the jobs, and the function checks them. One second
of the run stands for a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from local.cloudwatch import embedded_metric_format as emf
from local.cloudwatch.embedded_metric_format import Point
from local.cloudwatch.metrics import Metrics
from local.dashboard.widgets import Observed
from local.deployment import Deployment
from local.deployment.deployment import Execution
from local.deployment.template import Resolved
from local.stack import Stack

SPEED = 60
"""Seconds that one second of the run stands for."""

END_SECONDS = 72
# On the clock of the picture, a watch lasts an hour at most, and a wait 8 minutes.
_PARAMETERS = {"WatchLimitSeconds": 60, "CheckIntervalMaxSeconds": 8}


def run() -> tuple[dict[str, Any], Observed]:
    """Watch the jobs. Returns the body of the dashboard, resolved, and what CloudWatch would have seen."""
    with Stack(step_functions=True) as stack:
        stack.zoho.control.set_speed(SPEED)
        stack.zoho.control.settings(latency_seconds=0.12)
        with Deployment(stack, **_PARAMETERS) as deployment:
            began = time.time()
            for at, event in _events(deployment):
                time.sleep(max(0.0, began + at - time.time()))
                event()
            time.sleep(max(0.0, began + END_SECONDS - time.time()))
            ended = time.time()
            depth = len(deployment.dead_letters())
            executions = [execution for execution in deployment.executions() if not execution.running]
            throttled = [call.at for call in stack.calls("lambda", "Invoke") if call.status == 429]
        # The function has stopped: its output is complete.
        resolved = deployment.template
        points = emf.points(deployment.function.metrics)
        points += _of_aws(resolved, deployment.function.logs, throttled, executions, (ended, depth))
        return observed(resolved, deployment.function.logs, points, began, ended)


def observed(
    resolved: Resolved, lines: list[dict[str, Any]], points: list[Point], began: float, ended: float
) -> tuple[dict[str, Any], Observed]:
    """The dashboard of a deployment, and what CloudWatch saw of it, in the time that the run stands for."""
    alarms = {
        resolved.arns[name]: resource["Properties"]
        for name, resource in resolved.resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    stretched = [replace(point, at=(point.at - began) * SPEED) for point in points]
    clocked = [{**line, "timestamp": clock((_seconds(line["timestamp"]) - began) * SPEED)} for line in lines]
    return resolved.dashboard, Observed(clocked, Metrics(stretched, (ended - began) * SPEED), alarms)


def clock(seconds: float) -> str:
    """`01:05`, an hour and five minutes after the start."""
    minutes = int(max(0.0, seconds) // 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _events(deployment: Deployment) -> list[tuple[float, Callable[[], Any]]]:
    """What happens when, in seconds of the run."""
    zoho = deployment.stack.zoho.control

    def watch(module: str, minutes: float, **job: Any) -> Callable[[], Any]:
        def start() -> None:
            job_id = zoho.start_job(module=module, run_seconds=minutes * 60, **job)
            deployment.watch({"module": module, "job_id": job_id})

        return start

    def publish_in_vain() -> None:
        job_id = zoho.start_job(module="Vendors", run_seconds=0)
        with deployment.stack.fail_aws("sns", "Publish", status=403, code="AuthorizationError"):
            deployment.function.invoke_event({"module": "Vendors", "job_id": job_id, "notify": True}).wait()

    forbidden = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "invalid oauth scope", "status": "error"}
    return [
        (0, watch("Leads", 42, failed=500)),
        (0, watch("Deals", 600)),
        (1, watch("Contacts", 16, total=20_000)),
        (4, watch("Accounts", 30, total=8_000, shape="fails-half-way")),
        (8, watch("Tasks", 9, total=1_500)),
        (12, lambda: zoho.settings(latency_seconds=0.35)),
        (14, lambda: zoho.fault("server-error", times=8, side="crm")),
        (20, watch("Contacts", 22, total=30_000, left_over=40)),
        (24, lambda: deployment.watch({"module": "Leads", "job_id": "1"})),
        (26, watch("Products", 14, total=900)),
        (30, lambda: zoho.respond(status=429, body={"code": "TOO_MANY_REQUESTS", "details": {}}, times=9)),
        (34, lambda: zoho.settings(latency_seconds=0.18)),
        (38, watch("Leads", 18, total=12_000)),
        (42, watch("Calls", 900, queue_seconds=36_000)),
        (46, watch("Events", 400, total=44_000)),
        (52, watch("Contacts", 9, total=4_000)),
        (58, watch("Cases", 120, total=25_000, failed=80)),
        (66, publish_in_vain),
        (70.2, lambda: zoho.respond(status=401, body=forbidden)),
        (70.3, watch("Campaigns", 30)),
    ]


def _of_aws(
    resolved: Resolved,
    lines: list[dict[str, Any]],
    throttled: list[float],
    executions: list[Execution],
    queue: tuple[float, int],
) -> list[Point]:
    """The metrics that AWS itself writes."""
    function = {"FunctionName": resolved.references["CheckFunction"]}
    # An invocation that fails is a check with an error that is not the end of a watch.
    failed = [_seconds(line["timestamp"]) for line in lines if line.get("error_type") and not line.get("outcome")]
    ended, depth = queue
    name = {"QueueName": resolved.references["DeadLetterQueue"].rsplit("/", 1)[1]}
    points = [Point(at, "AWS/Lambda", "Errors", function, 1) for at in failed]
    points += [Point(at, "AWS/Lambda", "Throttles", function, 1) for at in throttled]
    points.append(Point(ended, "AWS/SQS", "ApproximateNumberOfMessagesVisible", name, depth))
    names = {"FAILED": "ExecutionsFailed", "ABORTED": "ExecutionsAborted", "TIMED_OUT": "ExecutionsTimedOut"}
    points += [
        Point(
            execution.ended["stopDate"].timestamp(),
            "AWS/States",
            names[execution.status],
            {"StateMachineArn": execution.ended["stateMachineArn"]},
            1,
        )
        for execution in executions
        if execution.status in names
    ]
    return points


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
