"""What the demonstration shows, one part after the other: a watch, an adaptive schedule, a trouble, and the ends."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from local.demo import narrator, terminal
from local.deployment import Deployment
from local.stack import Stack
from local.wait import wait_until

MINUTE = 60
_WARNING = "33"  # yellow
# In simulated seconds since the start of the first job.
OUTAGE = (3 * MINUTE, 5 * MINUTE)
SECOND_JOB = 5 * MINUTE
WATCHED = {"module": "Leads", "total": 50_000, "failed": 500, "queue_seconds": MINUTE, "run_seconds": 9 * MINUTE}
SCHEDULED = {"module": "Deals", "total": 20_000, "shape": "decelerating", "run_seconds": 5 * MINUTE}
STRANGER = {"module": "Contacts", "job_id": "3652397000000000000", "label": "a typo of mine"}


def tell(stack: Stack, deployment: Deployment) -> bool:
    """Show everything. Returns whether it ended as expected."""
    zoho = stack.zoho.control
    began = stack.clock.now()
    first = {"module": WATCHED["module"], "job_id": zoho.start_job(**WATCHED)}
    execution = deployment.watch(first, name=f"Leads-{first['job_id']}")
    second: list[dict[str, str]] = []

    def happen() -> None:
        """What happens meanwhile: an outage of Zoho, and the start of the other watches."""
        for at, do in [
            (OUTAGE[0], lambda: zoho.respond(status=503, body="<html>Service Unavailable</html>", times=1_000_000)),
            (OUTAGE[1], zoho.clear_faults),
            (SECOND_JOB, lambda: second.append(_start_a_schedule(stack, deployment))),
            (SECOND_JOB, lambda: deployment.watch(STRANGER, name="a-typo")),
        ]:
            time.sleep(max(0, (began + at - stack.clock.now()) / stack.clock.speed))
            do()

    meanwhile = threading.Thread(target=happen, name="meanwhile", daemon=True)
    meanwhile.start()
    narrator.part(
        f"A state machine watches job {first['job_id']}: 50,000 Leads in 10 minutes.",
        "It shows few checks and an end that is noticed soon. Waits grow while little is known, and shrink toward the"
        f" end. From minute {OUTAGE[0] // 60} to {OUTAGE[1] // 60}, Zoho fails, and the watch outlasts it.",
    )
    _follow(deployment, first["job_id"], began)
    meanwhile.join()
    as_expected = execution.status == "SUCCEEDED" and execution.output["outcome"] == "PARTIALLY_SUCCEEDED"

    narrator.part(
        f"A schedule watches job {second[0]['job_id']}: 20,000 Deals in 5 minutes.",
        "It shows the same for a fiftieth of the cost: after each check, the function moves the schedule to the time"
        " of the next one, and at the end, it deletes the schedule.",
    )
    _follow(deployment, second[0]["job_id"], began)
    scheduler, name = stack.client("scheduler"), second[0]["name"]
    wait_until(lambda: not scheduler.list_schedules(NamePrefix=name)["Schedules"], "the deletion of the schedule")
    narrator.line(f"           the schedule {name} is gone")

    messages = {message.values["job_id"]: message for message in deployment.published()}
    narrator.part(
        "Somebody mistypes a job ID.",
        "It shows that a watch that cannot work is told, with what to do, and not left to be silent.",
    )
    trouble = messages[STRANGER["job_id"]]
    narrator.block(f"Email: {trouble.subject}", trouble.texts["email"])
    narrator.part("The end of the first watch, as people and programs get it.", "It shows one message from SNS.")
    end = messages[first["job_id"]]
    narrator.block(f"Email: {end.subject}", end.texts["email"])
    narrator.block("Attributes, for filter policies", "\n".join(f"{n:<8} {v}" for n, v in sorted(end.values.items())))
    narrator.block("For programs", json.dumps(end.report))
    as_expected &= set(messages) == {first["job_id"], second[0]["job_id"], STRANGER["job_id"]}

    narrator.part(
        "The same check in a terminal.", "It shows `watch-job`, for people without an AWS account, with its exit code."
    )
    as_expected &= terminal.run(stack, first)
    stats = zoho.stats(records=False)
    narrator.line(
        f"\nIn all: {stats.requests['crm']} requests to Zoho's API, {deployment.function.invocations} invocations,"
        f" {deployment.function.cold_starts} cold starts, {len(stack.firings)} firings of the schedule."
    )
    return as_expected


def _start_a_schedule(stack: Stack, deployment: Deployment) -> dict[str, str]:
    """Create a schedule as `make watch-schedule` does."""
    job_id = stack.zoho.control.start_job(**SCHEDULED)
    group, name = deployment.template.properties("ScheduleGroup")["Name"], f"Deals-{job_id}"
    now = datetime.fromtimestamp(stack.clock.now(), UTC)
    request = {
        "module": SCHEDULED["module"],
        "job_id": job_id,
        "schedule_arn": "<aws.scheduler.schedule-arn>",
        "first_checked_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "adapt": True,
    }
    arns = deployment.template.arns
    stack.client("scheduler").create_schedule(
        GroupName=group,
        Name=name,
        ScheduleExpression="rate(1 minute)",
        StartDate=now,
        EndDate=now + timedelta(days=2),
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": deployment.function.arn,
            "RoleArn": arns["SchedulerRole"],
            "Input": json.dumps(request),
            "DeadLetterConfig": {"Arn": arns["DeadLetterQueue"]},
        },
    )
    return {"job_id": job_id, "name": name}


def _follow(deployment: Deployment, job_id: str, began: float) -> None:
    """Print each check of a job with the wait that follows, and why it is so long, as the function logs it."""
    narrator.line("    minute   seen               next check    because of")
    shown = 0
    while True:
        lines = [line for line in deployment.function.logs if line.get("job_id") == job_id and "status" in line]
        for line in sorted(lines, key=lambda line: line["timestamp"])[shown:]:
            narrator.line(
                f"    {_minute(line['timestamp'], began)}   {_check(line)}", _WARNING if "error_type" in line else ""
            )
            shown += 1
            if line.get("next_check_seconds") is None:
                return
        time.sleep(0.05)


def _minute(timestamp: str, began: float) -> str:
    passed = max(0, int(datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp() - began))
    return f"{passed // 60:>3}:{passed % 60:02}"


def _check(line: dict[str, Any]) -> str:
    seen = line.get("error_type") or f"{line['status']:<10} {line['progress_percent']:>3} %"
    if (seconds := line.get("next_check_seconds")) is None:
        return f"{seen:<18} {line['outcome']}"
    wait = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
    return f"{seen:<18} in {wait:<10} {line['next_check_reason']}"
