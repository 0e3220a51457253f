"""The template deployed on the local stack: its names, its environment, its state machines' own definitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from local.deployment.permissions import SYNC_RULE, Roles
from local.deployment.template import ROOT, definition, resolve
from local.stack import RELEASE_BINARY, EventInvocation, Function, Publication, Stack
from local.stack.schedules import payload_of
from local.wait import PATIENCE_SECONDS, wait_until
from local.zoho_simulator import REFRESH_TOKEN_SECRET

STATE_MACHINES = ("WatchStateMachine", "WatchListedJobStateMachine", "WatchManyStateMachine")


def quicken(node: Any) -> Any:
    """A definition whose retries and fixed waits last one second at most. Nothing else changes."""
    if isinstance(node, list):
        return [quicken(item) for item in node]
    if not isinstance(node, dict):
        return node
    waits = ("IntervalSeconds", "MaxDelaySeconds", "Seconds")
    return {key: 1 if key in waits else quicken(value) for key, value in node.items()}


@dataclass(frozen=True)
class Execution:
    """A running or ended execution of a state machine."""

    stack: Stack
    arn: str

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Execution:
        wait_until(lambda: not self.running, f"the end of the execution {self.arn}", seconds)
        return self

    @property
    def running(self) -> bool:
        return self._describe()["status"] == "RUNNING"

    def wait_for(self, event: str, count: int = 1) -> None:
        """Wait until the history has that many events of a kind."""
        wait_until(lambda: self.events(event) >= count, f"event {event} number {count} of {self.arn}")

    @cached_property
    def ended(self) -> dict[str, Any]:
        return self.wait()._describe()

    status = property(lambda self: self.ended["status"])
    error = property(lambda self: self.ended.get("error"))
    cause = property(lambda self: self.ended["cause"])
    output = property(lambda self: json.loads(self.ended["output"]))

    @property
    def history(self) -> list[dict[str, Any]]:
        states = self.stack.client("stepfunctions")
        return states.get_execution_history(executionArn=self.arn, maxResults=1000)["events"]

    @property
    def states(self) -> list[str]:
        """The names of the states entered, in order."""
        return [event["stateEnteredEventDetails"]["name"] for event in self.history if "Entered" in event["type"]]

    @property
    def errors(self) -> list[str]:
        """The names of the errors of failed tasks, in order."""
        return [event["taskFailedEventDetails"]["error"] for event in self.history if event["type"] == "TaskFailed"]

    def events(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.history)

    def _describe(self) -> dict[str, Any]:
        return self.stack.client("stepfunctions").describe_execution(executionArn=self.arn)


class Deployment:
    """What `sam deploy` would make of the template, on the local stack.

    Zoho is the simulator, and a job may be checked every second. `alter` changes the state machines' definitions, as
    `quicken` does; as they stand they are what ships. Each part acts with its role, and the policies of the roles are
    enforced; `without` names a role, and a Sid or an action that it lacks. The template stands in the folder `root`.
    """

    def __init__(
        self,
        stack: Stack,
        secret: dict[str, str] | str | None = None,
        env: dict[str, str] | None = None,
        binary: Path = RELEASE_BINARY,
        alter: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        without: tuple[str, str] | None = None,
        root: Path = ROOT,
        **parameters: Any,
    ) -> None:
        parameters = {
            "ZohoApiDomain": stack.zoho.url,
            "ZohoAccountsDomain": stack.zoho.url,
            "CheckIntervalMinSeconds": 1,
            "MaxConcurrency": 20,  # moto makes as many threads, however short the list
            **parameters,
        }
        self.stack = stack
        self.name = stack.unique("zoho")
        parameters["ZohoSecretArn"] = stack.secret(secret or REFRESH_TOKEN_SECRET, self.name)
        self.template = resolve(self.name, root, **parameters)
        self.topic_arn = stack.topic(f"{self.name}-StatusTopic").arn
        assert self.topic_arn == self.template.outputs["StatusTopicArn"]
        self._dead_letters = stack.queue(f"{self.name}-DeadLetterQueue")
        self.without = without
        self.roles = Roles(self.template, without)
        for role in self.roles:
            stack.enforce(role, partial(self.roles.denial, role))
        self.function = self._function(binary, env or {})
        self._alter = alter or (lambda definition: definition)
        self._machines: dict[str, str] = {}
        stack.client("scheduler").create_schedule_group(Name=self.template.properties("ScheduleGroup")["Name"])

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.function.stop()

    def watch(self, request: Any, name: str | None = None) -> Execution:
        return self._start("WatchStateMachine", request, name)

    def watch_many(self, request: Any) -> Execution:
        return self._start("WatchManyStateMachine", request, None)

    def machine(self, resource: str) -> str:
        """The ARN of a state machine. It is created when it is first used, after those that it starts: moto is slow."""
        for needed in STATE_MACHINES[: STATE_MACHINES.index(resource) + 1]:
            self._machines[needed] = self._machines.get(needed) or self._create(needed)
        return self._machines[resource]

    def execution(self, arn: str) -> Execution:
        return Execution(self.stack, arn)

    def executions(self) -> list[Execution]:
        """Those of the state machine that watches one job, in the order of their start."""
        listed = self.stack.client("stepfunctions").list_executions(
            stateMachineArn=self.machine("WatchStateMachine"), maxResults=1000
        )["executions"]
        return [Execution(self.stack, one["executionArn"]) for one in sorted(listed, key=lambda one: one["startDate"])]

    def dead_letters(self) -> list[dict[str, Any]]:
        """What Lambda, Scheduler, or a state machine could not deliver, since the last call."""
        return self._dead_letters.drain()

    def published(self) -> list[Publication]:
        """What was published to the topic, by the function or a state machine, since the deployment."""
        return self.stack.published(self.topic_arn)

    def outcomes(self) -> list[str | None]:
        """The outcome in each of these messages; None for a notice."""
        return [message.values.get("outcome") for message in self.published()]

    def fire(self, schedule: dict[str, Any]) -> EventInvocation | None:
        """Let a schedule fire once, now."""
        request_id = self.stack.fire(schedule, payload_of(schedule, self.stack.clock.now()))
        return self.function.events[request_id] if request_id else None

    def _start(self, resource: str, request: Any, name: str | None) -> Execution:
        answer = self.stack.client("stepfunctions").start_execution(
            stateMachineArn=self.machine(resource),
            name=name or self.stack.unique("execution"),
            input=json.dumps(request, separators=(",", ":")),
        )
        return Execution(self.stack, answer["executionArn"])

    def _function(self, binary: Path, env: dict[str, str]) -> Function:
        properties, invoke = (self.template.properties(f"CheckFunction{one}") for one in ("", "EventInvokeConfig"))
        logging = properties["LoggingConfig"]
        env = {
            **properties["Environment"]["Variables"],
            "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
            "AWS_LAMBDA_LOG_LEVEL": logging["ApplicationLogLevel"],
            "AWS_ACCESS_KEY_ID": self.template.references["CheckFunctionRole"],
            **env,
        }
        return self.stack.function(
            f"{self.name}-CheckFunction",
            env,
            binary,
            timeout=properties["Timeout"],
            concurrency=int(properties["ReservedConcurrentExecutions"]),
            destination_arn=invoke["DestinationConfig"]["OnFailure"]["Destination"],
        )

    def _create(self, resource: str) -> str:
        properties = self.template.properties(resource)
        machine = json.loads(definition(resource, self.template))
        role = properties["RoleArn"].rsplit("/", 1)[1]
        if ".sync" in json.dumps(machine) and (denial := self.roles.first_missing(role, SYNC_RULE)):
            raise PermissionError(denial)
        answer = self.stack.client("stepfunctions").create_state_machine(
            name=properties["StateMachineName"],
            definition=json.dumps(self._alter(machine)),
            roleArn=properties["RoleArn"],
        )
        return answer["stateMachineArn"]
