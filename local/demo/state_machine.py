"""The same through Step Functions: the template deployed on the local stack, and one execution that does it all."""

from __future__ import annotations

import json
import time
from typing import Any

from local.demo.narrator import Narrator
from local.deployment import Deployment, Execution
from local.stack import Stack

TOTAL, FAILING = 12_000, 0
RUN_SECONDS = 240


def act(narrator: Narrator, stack: Stack, speed: float) -> bool:
    """Play it; true if the execution succeeded and its output is what the subscriber got."""
    narrator.step(
        "The template is deployed on the same stack: its state machine now calls the function, waits as long as the"
        " report says, and announces the end."
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
            narrator.block("The subscriber got", f"{message.subject}\n{json.dumps(message.body, indent=2)}")
        output = execution.output
        output.pop("notification")
    return [message.body for message in messages] == [output]


def _follow(narrator: Narrator, execution: Execution) -> None:
    """Tell the way through the states, a line for each lap."""
    told = 0
    running = True
    while running:
        running = execution.running
        laps = _laps(execution.history)
        # The last lap may still grow.
        for lap in laps[told : -1 if running else None]:
            narrator.line(f"   {lap}")
            told += 1
        time.sleep(0.1)


def _laps(history: list[dict[str, Any]]) -> list[str]:
    """The names of the states entered; each check begins a line and says what it has found."""
    laps: list[list[str]] = [[]]
    for event in history:
        if event["type"] == "TaskSucceeded" and event["taskSucceededEventDetails"]["resourceType"] == "lambda":
            report = json.loads(event["taskSucceededEventDetails"]["output"])["Payload"]
            laps[-1][-1] += f" ({report['progress_percent']} %)"
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
            if name == "Check":
                laps.append([])
            laps[-1].append(name)
    return [" → ".join(lap) for lap in laps]
