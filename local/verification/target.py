"""The deployed stack that the questions are put to."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import boto3

ROOT = Path(__file__).resolve().parents[2]
# Zoho rejects them, so that no check ever reaches an organization.
REJECTED_CREDENTIALS = {"client_id": "1000.VERIFY", "client_secret": "none", "refresh_token": "1000.none.none"}
# This host never exists (RFC 6761): checks fail with ZohoUnavailable, and watches wait.
NO_SUCH_HOST = "https://crm.invalid"


class Target(Protocol):
    """A deployed stack. `only_aws` is what it cannot answer because it is not AWS."""

    name: str
    only_aws: bool
    list_size: int

    def client(self, service: str) -> Any:
        """A boto3 client."""

    def output(self, key: str) -> str:
        """An output of the stack."""

    def resource(self, logical_id: str) -> str:
        """The physical ID of a resource of the stack."""

    def make_zoho_unavailable(self) -> None:
        """From now on, every check fails with ZohoUnavailable."""

    def definition(self, logical_id: str) -> str:
        """The definition of a state machine, as deployed."""


class Account:
    """A stack in the account of the AWS credentials in the environment. The SAM CLI deploys it; the end removes it."""

    only_aws = False
    list_size = 1_000

    def __init__(self, name: str) -> None:
        self.name = name
        self._session = boto3.Session()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Account:
        try:
            self._sam("deploy", "--no-confirm-changeset", "--parameter-overrides", "ReservedConcurrency=-1")
            self.client("secretsmanager").put_secret_value(
                SecretId=self.output("SecretArn"), SecretString=json.dumps(REJECTED_CREDENTIALS)
            )
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def output(self, key: str) -> str:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return next(one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == key)

    def resource(self, logical_id: str) -> str:
        detail = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return detail["StackResourceDetail"]["PhysicalResourceId"]

    def definition(self, logical_id: str) -> str:
        arn = self.resource(logical_id)
        return self.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"]

    def make_zoho_unavailable(self) -> None:
        function = self.output("CheckFunctionName")
        self.client("secretsmanager").put_secret_value(
            SecretId=self.output("SecretArn"), SecretString=json.dumps({"access_token": "1000.none"})
        )
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        variables = {**configuration["Environment"]["Variables"], "ZOHO_API_DOMAIN": NO_SUCH_HOST}
        self.client("lambda").update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        self.client("lambda").get_waiter("function_updated_v2").wait(FunctionName=function)

    def _remove(self) -> None:
        """Whatever happened: stop what runs, delete the stack, and delete the secret that the stack keeps."""
        step_functions, secret = self.client("stepfunctions"), None
        try:
            secret = self.output("SecretArn")
            for machine in ("WatchManyStateMachine", "WatchListedJobStateMachine", "WatchStateMachine"):
                pages = step_functions.get_paginator("list_executions").paginate(
                    stateMachineArn=self.resource(machine), statusFilter="RUNNING"
                )
                for page in pages:
                    for execution in page["executions"]:
                        step_functions.stop_execution(executionArn=execution["executionArn"])
        except Exception as error:  # the stack may not even exist
            print(f"could not stop everything: {error}")
        self._sam("delete", "--no-prompts", "--region", self._session.region_name)
        if secret:
            self.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)

    def _sam(self, command: str, *options: str) -> None:
        environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
        subprocess.run(["sam", command, "--stack-name", self.name, *options], cwd=ROOT, env=environment, check=True)


def wait_for(what: str, condition: Callable[[], Any], seconds: float) -> Any:
    """Poll until the condition returns something true, and return that."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.5)
    return found
