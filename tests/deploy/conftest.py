"""Fixtures: one stack whose state machines really run, and deployments of the template on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment, quicken
from local.stack import RELEASE_BINARY, Stack
from tests.scripted import stub


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    assert RELEASE_BINARY.is_file(), f"{RELEASE_BINARY} is missing: make build"
    with Stack(step_functions=True) as stack:
        yield stack


@pytest.fixture
def deploy(stack: Stack) -> Iterator[Callable[..., Deployment]]:
    """Deploy the template with these parameters; Zoho starts afresh."""
    stack.zoho.control.reset()
    with contextlib.ExitStack() as ends:
        yield lambda **how: ends.enter_context(Deployment(stack, **{"alter": quicken, **how}))
    stack.clear_faults()


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    """The release binary with the template's defaults, but for a lower bound of one second between checks."""
    return deploy()


@pytest.fixture
def deploy_stub(deploy: Callable[..., Deployment], tmp_path: Path) -> Callable[..., Deployment]:
    """Deploy a function with a script; see scripted_function.py."""

    def deploy_it(*script: dict[str, Any], **how: Any) -> Deployment:
        return deploy(**stub(tmp_path, *script), **how)

    return deploy_it
