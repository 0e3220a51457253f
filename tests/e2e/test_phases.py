"""The phase trace at DEBUG: what it is made of, and that its parts lie where the whole is."""

from __future__ import annotations

import pytest

from tests.e2e.scene import Scene

INIT = ["init.process", "init.config", "init.aws", "init.secret", "init.connect", "init"]
CALL = ["call.token", "call.zoho", "call"]


def phases(scene: Scene) -> list[dict]:
    return [line for line in scene.fn.logs if line["message"] == "phase"]


def inside(part: dict, whole: dict) -> bool:
    """Whether one phase lies within another, give or take the rounding to microseconds."""
    begins, ends = part["at_microseconds"], part["at_microseconds"] + part["microseconds"]
    return whole["at_microseconds"] <= begins and ends <= whole["at_microseconds"] + whole["microseconds"] + 2


@pytest.fixture
def talkative(make_scene) -> Scene:
    return make_scene(env={"AWS_LAMBDA_LOG_LEVEL": "DEBUG"})


def test_init_and_call_are_the_sum_of_their_phases(talkative):
    talkative.running_job()
    talkative.report()
    seen = phases(talkative)
    assert sorted(phase["phase"] for phase in seen) == sorted(INIT + CALL)
    for whole in ("init", "call"):
        (enclosing,) = (phase for phase in seen if phase["phase"] == whole)
        parts = [phase for phase in seen if phase["phase"].startswith(whole + ".")]
        assert all(inside(part, enclosing) for part in parts)
        # One after the other, but for the two that go side by side.
        in_a_row = [part["microseconds"] for part in parts if part["phase"] != "init.connect"]
        assert sum(in_a_row) <= enclosing["microseconds"] + len(in_a_row)


def test_the_end_of_a_watch_has_phases_of_its_own(talkative):
    talkative.finished_job()
    talkative.report(schedule_arn=talkative.create_schedule())
    assert {"call.publish", "call.schedule"} <= {phase["phase"] for phase in phases(talkative)}


def test_nothing_of_it_is_written_at_info(scene):
    scene.running_job()
    scene.report()
    assert phases(scene) == []
