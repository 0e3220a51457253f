"""Fires the schedules of the emulator, which never does so itself.

Where AWS documents nothing, this takes the reading that costs a check, never the one that loses a watch: an update
takes effect at once, a start date counts to the second, and one that has passed fires at once.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote

from local.aws_endpoint.gateway import Call, Gateway
from local.clock import Clock

_UNITS = {"minute": 60, "hour": 3_600}


@dataclass(frozen=True)
class Firing:
    """One occurrence. `at` is in seconds since the epoch."""

    at: float
    payload: str


class Schedules:
    """Runs in the stack's event loop. `fire(schedule, payload)` runs in a thread."""

    def __init__(
        self, gateway: Gateway, clock: Clock, fire: Callable[[dict[str, Any], str], object], firings: list[Firing]
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._fire = fire
        self._firings = firings
        self._running: dict[str, asyncio.Task[None]] = {}
        self._occurrences: set[asyncio.Task[None]] = set()
        gateway.observe = self._observe

    async def stop(self) -> None:
        for task in (*self._running.values(), *self._occurrences):
            task.cancel()

    def _observe(self, call: Call) -> None:
        if call.action not in ("CreateSchedule", "UpdateSchedule", "DeleteSchedule"):
            return
        path, _, query = call.path.partition("?")
        group = parse_qs(query).get("groupName", [call.parameters.get("GroupName", "default")])[0]
        address = f"{path}?groupName={quote(group)}"
        # An occurrence that is on its way is delivered all the same.
        if earlier := self._running.pop(address, None):
            earlier.cancel()
        if call.action != "DeleteSchedule":
            self._running[address] = asyncio.create_task(self._run(address, call))

    async def _run(self, address: str, call: Call) -> None:
        schedule = await self._gateway.ask_moto("GET", address, call)
        if schedule is None or schedule["State"] != "ENABLED":
            return
        seconds = interval(schedule["ScheduleExpression"])
        # moto writes times in real seconds, so the creation is now. A start date that has passed fires once.
        due = schedule["StartDate"] or self._clock.now() + seconds
        following = max(due, self._clock.now()) + seconds
        while True:
            await self._clock.sleep_until(due)
            if schedule["EndDate"] and due > schedule["EndDate"]:
                break
            task = asyncio.create_task(self._occur(schedule, due))
            self._occurrences.add(task)
            task.add_done_callback(self._occurrences.discard)
            due, following = following, following + seconds
        if schedule["ActionAfterCompletion"] == "DELETE":
            await self._gateway.ask_moto("DELETE", address, call)

    async def _occur(self, schedule: dict[str, Any], due: float) -> None:
        payload = payload_of(schedule, due)
        self._firings.append(Firing(due, payload))
        await asyncio.get_running_loop().run_in_executor(None, self._fire, schedule, payload)


def interval(expression: str) -> float:
    """The seconds of `rate(...)`."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", expression)
    if found is None:
        raise ValueError(f"{expression} is no schedule that fires here")
    return int(found[1]) * _UNITS[found[2]]


def payload_of(schedule: dict[str, Any], due: float) -> str:
    """The input of the target with the context attributes replaced."""
    attributes = {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    target = schedule["Target"]
    default = {"version": "0", "id": attributes["execution-id"], "detail-type": "Scheduled Event"}
    default |= {"source": "aws.scheduler", "resources": [schedule["Arn"]], "detail": "{}"}
    text = target.get("Input") or json.dumps(default)
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
