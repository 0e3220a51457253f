"""The same with Step Functions: the template deployed on the local stack, and one execution of its state machine."""

from __future__ import annotations

import json
import time
from typing import Any

from local.demo.narrator import Narrator
from local.deployment import Deployment, Execution
from local.stack import Stack

TOTAL, FAILING = 12_000, 0
RUN_SECONDS = 240


def run(narrator: Narrator, stack: Stack, speed: float) -> bool:
    """Watch a job. Returns whether the execution succeeded and the subscriber received its output."""
    narrator.step(
        "Deploy the template on the same stack. Its state machine invokes the function, waits until the next check is"
        " due, and publishes the last report."
    )
    stack.zoho.control.set_speed(speed)
    with Deployment(stack) as deployment:
        job_id = stack.zoho.control.start_job(module="Contacts", total=TOTAL, failed=FAILING, run_seconds=RUN_SECONDS)
        request = {"module": "Contacts", "job_id": job_id}
        narrator.line(f"   {deployment.template.outputs['WatchStateMachineArn']}")
        narrator.line(f"   {json.dumps(request)}")
        execution = deployment.watch(request, name=f"Contacts-{job_id}")
        _follow(narrator, execution)
        if execution.status != "SUCCEEDED":
            narrator.line(f"   {execution.error}: {execution.cause}")
            return False
        messages = deployment.messages()
        for message in messages:
            narrator.block("Message at the subscriber", f"{message.subject}\n{json.dumps(message.body, indent=2)}")
        output = {key: execution.output[key] for key in messages[0].body} if messages else {}
    return [message.body for message in messages] == [output]


def _follow(narrator: Narrator, execution: Execution) -> None:
    """Print the states that the execution enters, with one line for each check."""
    printed = 0
    running = True
    while running:
        running = execution.running
        checks = _states_by_check(execution.history)
        # The last check may still be in progress.
        for check in checks[printed : -1 if running else None]:
            narrator.line(f"   {check}")
            printed += 1
        time.sleep(0.1)


def _states_by_check(history: list[dict[str, Any]]) -> list[str]:
    """The names of the states that were entered. Each check starts a new line and shows the progress that it found."""
    lines: list[list[str]] = [[]]
    for event in history:
        if event["type"] == "TaskSucceeded" and event["taskSucceededEventDetails"]["resourceType"] == "lambda":
            report = json.loads(event["taskSucceededEventDetails"]["output"])["Payload"]
            lines[-1][-1] += f" ({report['progress_percent']} %)"
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
            if name == "Check status":
                lines.append([])
            lines[-1].append(name)
    return [" → ".join(line) for line in lines]
