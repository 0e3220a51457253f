"""The whole of the local stack, started and stopped as one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from local.aws_endpoint.gateway import Call, Fault, Gateway
from local.aws_endpoint.moto_process import CREDENTIALS, REGION, Moto
from local.aws_endpoint.publication import Publication
from local.lambda_service.function import Function
from local.lambda_service.service import FunctionSettings, LambdaService
from local.zoho_simulator import Zoho

RELEASE_BINARY = Path(__file__).resolve().parents[2] / "target/lambda/mass-change-owner-status/bootstrap"

T = TypeVar("T")


class Stack:
    """AWS, Lambda and Zoho on free ports of this machine, for the length of a `with` block.

    `step_functions` lets moto really run state machines. `zoho` settings go to the simulator.
    """

    endpoint_url: str
    zoho: Zoho

    def __init__(self, step_functions: bool = False, **zoho: Any) -> None:
        self._step_functions = step_functions
        self._zoho_settings = zoho
        self._clients: dict[str, Any] = {}
        self._names = iter(range(1, 1_000_000_000))

    def __enter__(self) -> Stack:
        with contextlib.ExitStack() as started:
            self.zoho = started.enter_context(Zoho(**self._zoho_settings))
            self._loop = started.enter_context(_background_loop())
            self._service = LambdaService(self._send_to_destination)
            self._gateway = self._run(_made(Gateway, self._service.handle))
            port = self._run(self._gateway.start())
            started.callback(lambda: self._run(self._gateway.stop()))
            moto = Moto(callback_port=port)
            self._gateway.forward_to(moto.start())
            started.callback(moto.stop)
            started.callback(lambda: self._run(self._service.stop()))
            started.callback(self._gateway.clear)
            self.endpoint_url = f"http://127.0.0.1:{port}"
            self._service.announce(self.endpoint_url)
            if self._step_functions:
                self._configure_moto({"stepfunctions": {"execute_state_machine": True}})
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    def client(self, service: str) -> Any:
        """A boto3 client of this stack; one for each service, safe to share between threads."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=CREDENTIALS["AWS_SESSION_TOKEN"],
                config=Config(retries={"total_max_attempts": 1}, read_timeout=900, max_pool_connections=64),
            )
        return self._clients[service]

    def function(
        self,
        name: str,
        env: dict[str, str] | None = None,
        timeout: float = 30.0,
        concurrency: int = 10,
        binary: Path = RELEASE_BINARY,
        destination_arn: str | None = None,
        **settings: Any,
    ) -> Function:
        """Deploy a function. `env` is added to what Lambda sets itself; other settings: `FunctionSettings`."""
        if not Path(binary).is_file():
            raise FileNotFoundError(f"{binary}: build it first (make build)")
        configuration = FunctionSettings(
            name, Path(binary), dict(env or {}), timeout, concurrency, destination_arn=destination_arn, **settings
        )
        deployed = self._run(_made(self._service.deploy, configuration))
        return Function(deployed, self.endpoint_url, lambda: self._run(self._service.remove(name)))

    def unique(self, stem: str) -> str:
        """A name that nothing else in this stack has."""
        return f"{stem}-{next(self._names)}"

    def fail_aws(
        self,
        service: str,
        action: str,
        *,
        times: int | None = None,
        status: int | None = 500,
        code: str = "InternalFailure",
        message: str = "made to fail",
        **how: Any,
    ) -> Fault:
        """Make the next `times` calls (None: all, until the fault ends) of an action fail; see `Fault`.

        `status=None` with `delay=`, `hold=True` or `lose_response=True` lets AWS do what was asked.
        """
        return self._gateway.add(Fault(service, action, times, status=status, code=code, message=message, **how))

    def clear_faults(self) -> None:
        self._gateway.clear()

    def calls(self, service: str | None = None, action: str | None = None) -> list[Call]:
        """What AWS has been asked so far, by anyone."""
        return [
            call
            for call in list(self._gateway.calls)
            if service in (None, call.service) and action in (None, call.action)
        ]

    def published(self, topic_arn: str) -> list[Publication]:
        """What SNS took for a topic, in the form that no subscriber sees whole."""
        calls = self.calls("sns", "Publish")
        return [
            found for call in calls if call.status == 200 and (found := Publication.of(call)).topic_arn == topic_arn
        ]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _send_to_destination(self, arn: str, body: str) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._deliver, arn, body)

    def _deliver(self, arn: str, body: str) -> None:
        name = arn.rsplit(":", 1)[1]
        if ":sns:" in arn:
            self.client("sns").publish(TopicArn=arn, Message=body)
            return
        sqs = self.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=body)

    def _configure_moto(self, document: dict) -> None:
        request = urllib.request.Request(f"{self.endpoint_url}/moto-api/config", json.dumps(document).encode())
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request).close()


async def _made(factory: Any, *arguments: Any) -> Any:
    """Call a factory inside the event loop: what it makes belongs to that loop."""
    return factory(*arguments)


@contextlib.contextmanager
def _background_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread; its tasks are cancelled and awaited at the end, as `asyncio.run` does."""
    made: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        made.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(live(),), name="stack", daemon=True)
    thread.start()
    loop, stop = made.result()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
