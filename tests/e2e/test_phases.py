"""The phases of INIT that are logged at DEBUG: their names, and that they add up to the whole."""

from __future__ import annotations

import pytest

from tests.e2e.scene import Scene

INIT = ["init", "init.aws", "init.config", "init.connect", "init.secret"]


def phases(scene: Scene) -> dict[str, int]:
    return {line["phase"]: line["microseconds"] for line in scene.fn.logs if line["message"] == "phase"}


@pytest.mark.parametrize(("level", "expected"), [("DEBUG", INIT), ("INFO", [])])
def test_init_is_the_sum_of_its_phases(make_scene, level, expected):
    scene = make_scene(env={"AWS_LAMBDA_LOG_LEVEL": level})
    scene.running_job()
    scene.report()
    seen = phases(scene)
    assert sorted(seen) == expected
    # In sequence, except init.connect, which runs at the same time as another phase.
    assert sum(seen.get(name, 0) for name in ("init.config", "init.aws", "init.secret")) <= seen.get("init", 0)
