"""Fixtures: one stack for the session, a fresh function with fresh resources for each test."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.stack import RELEASE_BINARY, Stack
from tests.e2e.scene import LONG_LIFE, Scene


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    """Leave no fault, job or token of one test to the next."""
    stack.zoho.control.reset()
    yield
    stack.clear_faults()
    stack.zoho.control.clear_faults()


@pytest.fixture
def make_scene(stack: Stack) -> Iterator[Callable[..., Scene]]:
    """Make a scene; `secret` None means a static token, `env` None for a variable unsets it."""
    with contextlib.ExitStack() as ends:

        def make(
            secret: dict | str | None = None,
            env: dict[str, str | None] | None = None,
            fifo: bool = False,
            **function: Any,
        ) -> Scene:
            suffix = ".fifo" if fifo else ""
            kind = {"FifoTopic": "true", "ContentBasedDeduplication": "false"} if fifo else {}
            topic_arn = stack.client("sns").create_topic(Name=stack.unique("topic") + suffix, Attributes=kind)[
                "TopicArn"
            ]
            sqs = stack.client("sqs")
            queue = {"FifoQueue": "true"} if fifo else {}
            queue_url = sqs.create_queue(QueueName=stack.unique("queue") + suffix, Attributes=queue)["QueueUrl"]
            queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            stack.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)

            if secret is None:
                secret = {"access_token": stack.zoho.control.issue_token(life_seconds=LONG_LIFE)}
            secret_id = stack.unique("secret")
            text = secret if isinstance(secret, str) else json.dumps(secret)
            stack.client("secretsmanager").create_secret(Name=secret_id, SecretString=text)

            variables = {
                "ZOHO_SECRET_ID": secret_id,
                "STATUS_TOPIC_ARN": topic_arn,
                "ZOHO_API_DOMAIN": stack.zoho.url,
                "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_LOG_LEVEL": "INFO",
                **(env or {}),
            }
            given = {name: value for name, value in variables.items() if value is not None}
            fn = ends.enter_context(stack.function(stack.unique("watch"), env=given, **function))
            return Scene(stack, fn, secret_id, topic_arn, queue_url)

        yield make


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """A function with a static token and the default settings."""
    return make_scene()


@pytest.fixture(scope="session", autouse=True)
def _binary() -> None:
    assert RELEASE_BINARY.is_file(), f"{RELEASE_BINARY} is missing: make build"
