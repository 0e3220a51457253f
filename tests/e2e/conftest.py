"""Fixtures: one stack for the session, and a new function with new resources for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.stack import RELEASE_BINARY, Function, Invocation, Stack
from tests import schemas
from tests.e2e.scene import LONG_LIFE, Scene


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    assert RELEASE_BINARY.is_file(), f"{RELEASE_BINARY} is missing: make build"
    with Stack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    """Start each test without the faults, jobs, and tokens of the one before."""
    stack.zoho.control.reset()
    yield
    stack.clear_faults()
    stack.zoho.control.clear_faults()


@pytest.fixture
def make_scene(stack: Stack) -> Iterator[Callable[..., Scene]]:
    """Create scenes. Without a `secret`, it is a static token; a variable that is None in `env` is not set."""
    with contextlib.ExitStack() as ends:

        def make(
            secret: dict | str | None = None,
            env: dict[str, str | None] | None = None,
            fifo: bool = False,
            **function: Any,
        ) -> Scene:
            topic = stack.topic(fifo=fifo)
            if secret is None:
                secret = {"access_token": stack.zoho.control.issue_token(life_seconds=LONG_LIFE)}
            secret_id = stack.unique("secret")
            stack.secret(secret, secret_id)
            variables = {
                "ZOHO_SECRET_ID": secret_id,
                "STATUS_TOPIC_ARN": topic.arn,
                "ZOHO_API_DOMAIN": stack.zoho.url,
                "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_LOG_LEVEL": "INFO",
                **(env or {}),
            }
            given = {name: value for name, value in variables.items() if value is not None}
            fn = ends.enter_context(stack.function(stack.unique("watch"), env=given, **function))
            return Scene(stack, fn, secret_id, topic)

        yield make


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """A function with a static token and the default settings."""
    return make_scene()


@pytest.fixture(autouse=True)
def _schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test is about: each report and each of the function's errors matches its schema."""
    invoke = Function.invoke

    def checked(function: Function, *arguments: Any, **more: Any) -> Invocation:
        result = invoke(function, *arguments, **more)
        if isinstance(result.payload, dict) and "next_check_seconds" in result.payload:
            schemas.check("report", result.payload)
        # Lambda's own names contain a dot, and a scripted function has names of its own.
        elif result.error_type and result.error_type.isalpha() and function.binary == RELEASE_BINARY:
            schemas.check("error", result.payload)
        return result

    monkeypatch.setattr(Function, "invoke", checked)
