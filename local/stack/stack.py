"""The local stack, started and stopped as one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import urllib.request
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws_endpoint.gateway import Call, Fault, Gateway
from local.aws_endpoint.moto_process import CREDENTIALS, REGION, Moto
from local.aws_endpoint.publication import Publication
from local.clock import Clock
from local.lambda_service.function import Function, respond
from local.loop import background_loop, run_in
from local.stack.queue import Queue, Topic
from local.stack.schedules import Firing, Schedules
from local.zoho_simulator import Zoho

TARGET = Path(__file__).resolve().parents[2] / "target"
RELEASE_BINARY = TARGET / "lambda/mass-change-owner-status/bootstrap"
QUICK_BINARY = TARGET / "quick/mass-change-owner-status"  # that of `make run` and `make stack`

T = TypeVar("T")


class Stack:
    """AWS, Lambda, and Zoho on free ports of this machine, for the duration of a `with` block.

    With `step_functions`, moto executes state machines; with `schedules`, schedules fire. All of it, the functions'
    wall clocks included, is `speed` times as fast as real time. The `zoho` settings are those of the simulator.
    """

    endpoint_url: str
    zoho: Zoho

    def __init__(self, step_functions: bool = False, schedules: bool = False, speed: float = 1.0, **zoho: Any) -> None:
        self._step_functions = step_functions
        self._fires_schedules = schedules
        self._speed = speed
        self._zoho_settings = zoho
        self._functions: dict[str, Function] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._names = iter(range(1, 1_000_000_000))
        self.firings: list[Firing] = []

    def __enter__(self) -> Stack:
        with contextlib.ExitStack() as started:
            # Tests move the clock of Zoho, but never that of the functions.
            self.clock = Clock(self._speed)
            self.zoho = started.enter_context(Zoho(speed=self._speed, **self._zoho_settings))
            directory = started.enter_context(tempfile.TemporaryDirectory(prefix="stack-"))
            self._loop = started.enter_context(background_loop("stack"))
            self._gateway = Gateway(partial(respond, self._functions))
            port = self._run(self._gateway.start())
            started.callback(lambda: self._run(self._gateway.stop()))
            moto = Moto(callback_port=port, speed=self._speed)
            self._gateway.forward_to(moto.start())
            started.callback(moto.stop)
            started.callback(lambda: [function.stop() for function in self._functions.values()])
            started.callback(self._gateway.clear)
            self.endpoint_url = f"http://127.0.0.1:{port}"
            self._variables = {"AWS_ENDPOINT_URL": self.endpoint_url, **self.clock.variables(Path(directory))}
            if self._fires_schedules:
                schedules = Schedules(self._gateway, self.clock, self.fire, self.firings)
                started.callback(lambda: self._run(schedules.stop()))
            if self._step_functions:
                self._execute_state_machines()
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    @property
    def client_variables(self) -> dict[str, str]:
        """What any AWS client in another process needs to reach the stack."""
        return {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.endpoint_url}

    def client(self, service: str, role: str = CREDENTIALS["AWS_ACCESS_KEY_ID"]) -> Any:
        """The boto3 client of a service, with the permissions of a role. Threads can share it."""
        if (service, role) not in self._clients:
            self._clients[service, role] = boto3.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=REGION,
                aws_access_key_id=role,
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=CREDENTIALS["AWS_SESSION_TOKEN"],
                config=Config(retries={"total_max_attempts": 1}, read_timeout=900, max_pool_connections=64),
            )
        return self._clients[service, role]

    def enforce(self, role: str, denial: Callable[[Call], str | None]) -> None:
        """Ask `denial` about every call that is signed with the name of this role: a text denies it."""
        self._gateway.enforce(role, denial)

    def function(
        self, name: str, env: dict[str, str] | None = None, binary: Path = RELEASE_BINARY, **settings: Any
    ) -> Function:
        """Deploy a function. `env` is added to Lambda's own variables; for other settings, see `Function`."""
        if not binary.is_file():
            raise FileNotFoundError(f"{binary} does not exist; build it with `make build`")
        variables = {**self._variables, **(env or {})}
        function = Function(name, binary, variables, self.clock, self._loop, self._send_to_destination, **settings)
        self._functions[name] = function
        return function

    def unique(self, stem: str) -> str:
        """A name that is unique in this stack."""
        return f"{stem}-{next(self._names)}"

    def queue(self, name: str | None = None) -> Queue:
        """Create an SQS queue."""
        return Queue.create(self.client("sqs"), name or self.unique("queue"))

    def topic(self, name: str | None = None, queue_name: str | None = None, fifo: bool = False) -> Topic:
        """Create an SNS topic, and an SQS queue that subscribes to it."""
        suffix = ".fifo" if fifo else ""
        return Topic.create(
            self.client("sns"),
            self.client("sqs"),
            name or self.unique("topic") + suffix,
            queue_name or self.unique("subscriber") + suffix,
        )

    def secret(self, content: dict[str, Any] | str, name: str | None = None) -> str:
        """Create a secret and return its ARN."""
        text = content if isinstance(content, str) else json.dumps(content)
        secrets = self.client("secretsmanager")
        return secrets.create_secret(Name=name or self.unique("secret"), SecretString=text)["ARN"]

    def fail_aws(self, service: str, action: str, *, status: int | None = 500, **how: Any) -> Fault:
        """Make the next `times` requests for an action fail (None: all, until the fault ends); see `Fault`.

        With `status=None` and `hold=True` or a `kind`, AWS still processes the request.
        """
        return self._gateway.add(Fault(service, action, status=status, **how))

    def clear_faults(self) -> None:
        self._gateway.clear()

    def calls(self, service: str | None = None, action: str | None = None) -> list[Call]:
        """All requests to AWS so far, from any client."""
        calls = list(self._gateway.calls)
        return [call for call in calls if service in (None, call.service) and action in (None, call.action)]

    def published(self, topic_arn: str) -> list[Publication]:
        """The messages that SNS accepted for a topic, with the texts for all protocols."""
        accepted = [Publication.of(call) for call in self.calls("sns", "Publish") if call.status == 200]
        return [publication for publication in accepted if publication.topic_arn == topic_arn]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return run_in(self._loop, work)

    async def _send_to_destination(self, arn: str, body: str, role: str) -> None:
        # As on AWS, nobody hears of a record that could not be delivered.
        with contextlib.suppress(ClientError):
            await asyncio.get_running_loop().run_in_executor(None, self.deliver, arn, body, role)

    def deliver(self, arn: str, body: str, role: str) -> None:
        """Send a text to a topic or a queue, as a service does on behalf of a role."""
        if ":sns:" in arn:
            self.client("sns", role).publish(TopicArn=arn, Message=body)
            return
        url = self.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
        self.client("sqs", role).send_message(QueueUrl=url, MessageBody=body)

    def fire(self, schedule: dict[str, Any], payload: str) -> str | None:
        """Do what EventBridge Scheduler does: invoke the target of a schedule, or use its dead-letter queue.

        Returns the ID of the request, if it was accepted.
        """
        target = schedule["Target"]
        role = target["RoleArn"].rsplit("/", 1)[1]
        try:
            if ":states:" in target["Arn"]:
                states = self.client("stepfunctions", role)
                response = states.start_execution(stateMachineArn=target["Arn"], name=str(uuid.uuid4()), input=payload)
            else:
                functions = self.client("lambda", role)
                response = functions.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=payload)
        except ClientError:
            with contextlib.suppress(ClientError, KeyError):
                self.deliver(target["DeadLetterConfig"]["Arn"], payload, role)
            return None
        return response["ResponseMetadata"]["RequestId"]

    def _execute_state_machines(self) -> None:
        how = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint_url}/moto-api/config", how, headers)).close()
