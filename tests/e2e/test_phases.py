"""The phases that are logged at DEBUG: their names, and that they lie within the whole."""

from __future__ import annotations

import pytest

from tests.e2e.scene import Scene

INIT = ["init.process", "init.config", "init.aws", "init.secret", "init.connect", "init"]
INVOKE = ["invoke.token", "invoke.zoho", "invoke"]


def phases(scene: Scene) -> list[dict]:
    return [line for line in scene.fn.logs if line["message"] == "phase"]


def inside(part: dict, whole: dict) -> bool:
    """Whether one phase lies within another, apart from the rounding to microseconds."""
    begins, ends = part["at_microseconds"], part["at_microseconds"] + part["microseconds"]
    return whole["at_microseconds"] <= begins and ends <= whole["at_microseconds"] + whole["microseconds"] + 2


@pytest.fixture
def debug_scene(make_scene) -> Scene:
    return make_scene(env={"AWS_LAMBDA_LOG_LEVEL": "DEBUG"})


def test_init_and_invoke_are_the_sum_of_their_phases(debug_scene):
    debug_scene.running_job()
    debug_scene.report()
    seen = phases(debug_scene)
    assert sorted(phase["phase"] for phase in seen) == sorted(INIT + INVOKE)
    for whole in ("init", "invoke"):
        (enclosing,) = (phase for phase in seen if phase["phase"] == whole)
        parts = [phase for phase in seen if phase["phase"].startswith(whole + ".")]
        assert all(inside(part, enclosing) for part in parts)
        # In sequence, except init.connect, which runs at the same time as another phase.
        in_sequence = [part["microseconds"] for part in parts if part["phase"] != "init.connect"]
        assert sum(in_sequence) <= enclosing["microseconds"] + len(in_sequence)


def test_the_end_of_a_watch_has_its_own_phases(debug_scene):
    debug_scene.finished_job()
    debug_scene.report(schedule_arn=debug_scene.create_schedule())
    assert {"invoke.publish", "invoke.schedule"} <= {phase["phase"] for phase in phases(debug_scene)}


def test_no_phase_is_logged_at_info(scene):
    scene.running_job()
    scene.report()
    assert phases(scene) == []
