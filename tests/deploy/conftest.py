"""Fixtures: one stack whose state machines really run, and deployments of the template on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment, quicken
from local.stack import Stack
from tests.scripted import stub


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with Stack(step_functions=True) as stack:
        yield stack


@pytest.fixture
def deploy(stack: Stack) -> Iterator[Callable[..., Deployment]]:
    """Deploy the template with these parameters; Zoho starts afresh."""
    stack.zoho.control.reset()
    deployments = []

    def deploy_it(**how: Any) -> Deployment:
        deployments.append(ends.enter_context(Deployment(stack, **{"alter": quicken, **how})))
        return deployments[-1]

    with contextlib.ExitStack() as ends:
        yield deploy_it
    stack.clear_faults()
    for deployment in deployments:
        assert deployment.without or not deployment.roles.denials, "the roles of the template permit what a test does"


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    """The release binary with the template's defaults, but for a lower bound of one second between checks."""
    return deploy()


@pytest.fixture
def deploy_stub(deploy: Callable[..., Deployment], tmp_path: Path) -> Callable[..., Deployment]:
    """Deploy a function with a script; see scripted_function.py."""

    def deploy_it(*script: dict[str, Any], compose: dict[str, Any] | None = None, **how: Any) -> Deployment:
        return deploy(**stub(tmp_path, *script, compose=compose), **how)

    return deploy_it
