"""A function as its callers see it, with access to its processes and their output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import urllib3

from local.lambda_service.environment import Environment, InvocationResult
from local.lambda_service.service import INIT_SECONDS, Deployed
from local.wait import wait_until

_PATIENCE = INIT_SECONDS + 15.0  # beyond the function's own timeout


@dataclass
class Invocation:
    """One invocation. If it failed, it has `error_type` and `error_message`; if it was throttled, its payload is None.

    `left` is the time in seconds from the response to the deadline of the function.
    """

    payload: Any
    error_type: str | None = None
    error_message: str | None = None
    status: int = 200
    request_id: str = ""
    left: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error_type is None

    @classmethod
    def of(cls, result: InvocationResult, request_id: str) -> Invocation:
        payload = json.loads(result.payload) if result.payload else None
        if result.error is None:
            return cls(payload, request_id=request_id)
        known = payload if isinstance(payload, dict) else {}
        return cls(payload, known.get("errorType", ""), known.get("errorMessage", ""), request_id=request_id)


class EventInvocation:
    """An asynchronous invocation, for which Lambda makes up to three attempts."""

    def __init__(self, deployed: Deployed, request_id: str) -> None:
        self._state = deployed.asynchronous[request_id]
        self.request_id = request_id

    def wait(self, timeout: float = 60.0) -> list[Invocation]:
        """Wait for the last attempt and return them all."""
        wait_until(lambda: self._state.finished, "the end of an asynchronous invocation", timeout)
        return [Invocation.of(result, self.request_id) for result in self._state.attempts]


class Function:
    """A deployed function. `Stack.function` returns it."""

    def __init__(self, deployed: Deployed, endpoint_url: str, stop: Callable[[], None]) -> None:
        self._deployed = deployed
        self._stop = stop
        self._http = urllib3.connection_from_url(endpoint_url, maxsize=64, retries=False)
        self.name = deployed.settings.name
        self.arn = deployed.settings.arn
        self.binary = deployed.settings.binary

    def invoke(self, payload: Any, timeout: float | None = None) -> Invocation:
        """Invoke the function and wait. `timeout` replaces the function's own timeout for this invocation."""
        return self._invoke(payload, timeout, {})

    def invoke_together(self, payloads: Iterable[Any], timeout: float | None = None) -> list[Invocation]:
        """Invoke the function with all payloads at the same moment, each in its own execution environment."""
        payloads = list(payloads)
        if len(payloads) > self._deployed.settings.concurrency:
            raise ValueError("there are more payloads than the function's concurrency")
        headers = {"X-Local-Together": str(len(payloads))}
        with ThreadPoolExecutor(len(payloads)) as pool:
            return list(pool.map(lambda payload: self._invoke(payload, timeout, headers), payloads))

    def invoke_event(self, payload: Any) -> EventInvocation:
        """Invoke the function asynchronously: two retries, then the on-failure destination."""
        response = self._post(payload, {"X-Amz-Invocation-Type": "Event"}, _PATIENCE)
        if response.status != 202:
            raise RuntimeError(f"Invoke returned {response.status}: {response.data!r}")
        return self.event_invocation(response.headers["x-amzn-RequestId"])

    def event_invocation(self, request_id: str) -> EventInvocation:
        """An asynchronous invocation that something else made."""
        return EventInvocation(self._deployed, request_id)

    @property
    def environments(self) -> list[Environment]:
        """All execution environments so far, in the order of their start."""
        return list(self._deployed.environments)

    @property
    def cold_starts(self) -> int:
        return sum(1 for environment in self.environments if environment.pid)

    @property
    def invocations(self) -> int:
        return sum(environment.invocations for environment in self.environments)

    @property
    def lines(self) -> list[str]:
        """All lines that all processes wrote to standard output and standard error."""
        return [text for environment in self.environments for _, text in environment.lines]

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def logs(self) -> list[dict]:
        """The lines that are JSON documents, without those that CloudWatch turns into metrics."""
        return [document for document in self._documents() if "_aws" not in document]

    @property
    def metrics(self) -> list[dict]:
        """The lines that CloudWatch turns into metrics."""
        return [document for document in self._documents() if "_aws" in document]

    def _documents(self) -> list[dict]:
        found = []
        for line in self.lines:
            try:
                document = json.loads(line)
            except ValueError:
                continue
            if isinstance(document, dict):
                found.append(document)
        return found

    def wait_for_line(self, accept: Callable[[str], bool], timeout: float = 10.0) -> str:
        """Wait for a line of output (it can arrive after the response) and return it."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [line for line in self.lines if accept(line)]
            return bool(found)

        wait_until(look, "a line of the function's output", timeout)
        return found[0]

    def stop(self) -> None:
        """Kill every process and forget the function. What they wrote stays readable."""
        self._stop()
        self._http.close()

    def __enter__(self) -> Function:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _invoke(self, payload: Any, timeout: float | None, headers: dict[str, str]) -> Invocation:
        if timeout is not None:
            headers = {**headers, "X-Local-Timeout": str(timeout)}
        patience = (timeout or self._deployed.settings.timeout) + _PATIENCE
        response = self._post(payload, headers, patience)
        document = json.loads(response.data) if response.data else None
        result = Invocation(document, status=response.status, request_id=response.headers.get("x-amzn-RequestId", ""))
        result.left = float(response.headers.get("X-Local-Left", 0))
        if response.status != 200:
            result.error_type = response.headers.get("x-amzn-ErrorType", "")
            result.error_message = (document or {}).get("message", "")
        elif "X-Amz-Function-Error" in response.headers:
            known = document if isinstance(document, dict) else {}
            result.error_type = known.get("errorType", "")
            result.error_message = known.get("errorMessage", "")
        return result

    def _post(self, payload: Any, headers: dict[str, str], patience: float) -> urllib3.BaseHTTPResponse:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        path = f"/2015-03-31/functions/{self.name}/invocations"
        return self._http.urlopen("POST", path, body=body, headers=headers, timeout=patience)
