"""Schedules of the local stack fire as those of AWS do. The other end-to-end tests show the rest of it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from local.stack import Stack
from local.wait import wait_until
from tests.scripted import SCRIPTED_FUNCTION


def test_schedules_fire_at_their_start_at_their_rate_and_after_an_update():
    """At 250 times real time: from the start date every minute, then as updated, and not beyond the end."""
    with (
        Stack(schedules=True, speed=250) as stack,
        stack.function("scripted", binary=SCRIPTED_FUNCTION) as fn,
    ):
        scheduler, start = stack.client("scheduler"), datetime.fromtimestamp(int(stack.clock.now()) + 900, UTC)

        def schedule(step: str, rate: str, start: datetime, **more: Any) -> dict[str, Any]:
            given = {"step": step, "arn": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>"}
            target = {"Arn": fn.arn, "RoleArn": "arn:aws:iam::1:role/r", "Input": json.dumps(given)}
            window = {"Mode": "OFF"}
            named = {"Name": "watch", "ScheduleExpression": rate, "FlexibleTimeWindow": window, "StartDate": start}
            return {**named, "Target": target, **more}

        arn = scheduler.create_schedule(**schedule("first", "rate(1 minute)", start))["ScheduleArn"]
        wait_until(lambda: len(stack.firings) == 3, "three firings")
        later = datetime.fromtimestamp(int(stack.clock.now()) + 900, UTC)
        end = later + timedelta(minutes=7)
        update = schedule("second", "rate(5 minutes)", later, EndDate=end, ActionAfterCompletion="DELETE")
        scheduler.update_schedule(**update)
        assert scheduler.get_schedule(Name="watch")["ActionAfterCompletion"] == "DELETE"
        wait_until(lambda: not scheduler.list_schedules()["Schedules"], "the end of the schedule")
        fired = [json.loads(firing.payload) for firing in stack.firings]
        first = [firing for firing in fired if firing["step"] == "first"]
        minutes = [start + timedelta(minutes=number) for number in range(len(first))]
        expected = [("first", at) for at in minutes] + [("second", later), ("second", later + timedelta(minutes=5))]
        assert [(one["step"], one["at"]) for one in fired] == [(s, f"{at:%Y-%m-%dT%H:%M:%SZ}") for s, at in expected]
        assert {firing["arn"] for firing in fired} == {arn}
        scheduler.create_schedule(**schedule("past", "rate(1 hour)", start - timedelta(days=1)))
        wait_until(lambda: len(stack.firings) == len(fired) + 1, "a firing whose date has passed")
        scheduler.delete_schedule(Name="watch")
        time.sleep(0.1)
        wait_until(lambda: fn.invocations == len(stack.firings) == len(fired) + 1, "no more firings")
