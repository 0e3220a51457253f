"""The local stack behaves as AWS does. All other end-to-end tests rely on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.stack import Function, Stack
from local.wait import wait_until
from tests.scripted import SCRIPTED_FUNCTION


@pytest.fixture
def deploy(stack: Stack) -> Callable[..., Function]:
    return lambda **settings: stack.function(stack.unique("scripted"), binary=SCRIPTED_FUNCTION, **settings)


def test_errors_timeouts_and_exits(deploy):
    fn = deploy()
    failed = fn.invoke({"error": "JobNotFound"})
    assert (failed.ok, failed.error_type, failed.error_message) == (False, "JobNotFound", "as scripted")
    assert fn.invoke({}).payload["count"] == 2
    assert fn.invoke({"sleep": 60}, timeout=0.2).error_type == "Sandbox.Timedout"
    assert fn.invoke({}).payload["count"] == 1, "the environment was killed"
    exited = fn.invoke({"exit": 3})
    assert (exited.error_type, "exit status 3" in exited.error_message) == ("Runtime.ExitError", True)
    assert deploy(env={"INIT": "error"}).invoke({}).error_type == "NotReady"
    assert deploy(env={"INIT": "exit"}).invoke({}).error_type == "Runtime.ExitError"


def test_an_event_gets_three_attempts_and_then_goes_to_the_destination(stack, deploy):
    queue = stack.queue()
    fn = deploy(destination_arn=queue.arn)
    assert [attempt.error_type for attempt in fn.invoke_event({"error": "Broken"}).wait()] == ["Broken"] * 3
    (record,) = queue.drain()
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert (record["requestPayload"], record["responsePayload"]["errorType"]) == ({"error": "Broken"}, "Broken")
    assert [attempt.ok for attempt in fn.invoke_event({}).wait()] == [True]
    assert queue.drain() == []


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
