"""What only AWS can answer: a throwaway stack in a real account, seven questions, and a table of the answers.

`make verify-aws` deploys the stack with the SAM CLI, asks, and removes everything. Zoho rejects the credentials that it
stores, so that no check ever reaches an organization.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3

from local.wait import wait_until

ROOT = Path(__file__).resolve().parents[1]
REJECTED_CREDENTIALS = {"client_id": "1000.VERIFY", "client_secret": "none", "refresh_token": "1000.none.none"}
MACHINES = ("WatchStateMachine", "WatchListedJobStateMachine", "WatchManyStateMachine")
CONTEXT = "<aws.scheduler.schedule-arn>"
MINUTES = 60.0

wait_for = partial(wait_until, longest=1)


class Account:
    """A stack in the account of the AWS credentials in the environment, and a queue that subscribes to its topic."""

    def __init__(self, name: str) -> None:
        self.name, self.session = name, boto3.Session()
        self.client = cache(self.session.client)

    def __enter__(self) -> Account:
        try:
            self._sam("deploy", "--no-confirm-changeset", "--parameter-overrides", "ReservedConcurrency=-1")
            text = json.dumps(REJECTED_CREDENTIALS)
            self.client("secretsmanager").put_secret_value(SecretId=self.output("SecretArn"), SecretString=text)
            self.queue_url = self._subscribe()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.client("sqs").delete_queue(QueueUrl=self.queue_url)
        self._remove()

    def output(self, key: str) -> str:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return next(one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == key)

    def resource(self, logical_id: str) -> str:
        found = self.client("cloudformation").describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def receive(self, url: str, accept: Callable[[dict[str, Any]], bool], minutes: float = 5) -> dict[str, Any]:
        """The next message in a queue that is accepted; others are dropped."""

        def look() -> dict[str, Any] | None:
            received = self.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
            for message in received.get("Messages", []):
                self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if accept(body := json.loads(message["Body"])):
                    return body
            return None

        return wait_for(look, "a message", minutes * MINUTES)

    def announcement(self, **attributes: str) -> dict[str, Any]:
        """The next message of the topic with these attributes."""

        def accept(body: dict[str, Any]) -> bool:
            found = {name: value["Value"] for name, value in body.get("MessageAttributes", {}).items()}
            return attributes.items() <= found.items()

        return self.receive(self.queue_url, accept)

    def start(self, machine: str, request: Any) -> str:
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.resource(machine), name=str(uuid.uuid4()), input=json.dumps(request)
        )
        return started["executionArn"]

    def end(self, arn: str) -> dict[str, Any]:
        describe = self.client("stepfunctions").describe_execution
        wait_for(lambda: describe(executionArn=arn)["status"] != "RUNNING", f"the end of {arn}", 5 * MINUTES)
        return describe(executionArn=arn)

    def _subscribe(self) -> str:
        sqs, topic = self.client("sqs"), self.output("StatusTopicArn")
        url = sqs.create_queue(QueueName=f"{self.name}-verification")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        condition = {"ArnEquals": {"aws:SourceArn": topic}}
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn, "Condition": condition}]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def _remove(self) -> None:
        """Whatever happened: stop what runs, delete the stack, and delete the secret that the stack keeps."""
        states, secret = self.client("stepfunctions"), None
        try:
            secret = self.output("SecretArn")
            for machine in reversed(MACHINES):
                listed = states.list_executions(stateMachineArn=self.resource(machine), statusFilter="RUNNING")
                for execution in listed["executions"]:
                    states.stop_execution(executionArn=execution["executionArn"])
        except Exception as error:  # the stack may not even exist
            print(f"could not stop everything: {error}")
        self._sam("delete", "--no-prompts", "--region", self.session.region_name)
        if secret:
            self.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)

    def _sam(self, command: str, *options: str) -> None:
        environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
        subprocess.run(["sam", command, "--stack-name", self.name, *options], cwd=ROOT, env=environment, check=True)


# ---- the questions: each returns a line about what it saw, or raises -------------------------------------------------


def definitions_are_valid(account: Account) -> str:
    states, findings = account.client("stepfunctions"), []
    for machine in MACHINES:
        definition = states.describe_state_machine(stateMachineArn=account.resource(machine))["definition"]
        response = states.validate_state_machine_definition(definition=definition, severity="WARNING")
        findings += [f"{machine}: {finding['message']}" for finding in response["diagnostics"]]
    assert not findings, "; ".join(findings)
    return "no diagnostics"


def a_watch_announces_its_failure(account: Account) -> str:
    arn = account.start("WatchStateMachine", {"module": "Leads", "job_id": "1"})
    account.announcement(outcome="WATCH_FAILED", job_id="1")
    error = account.end(arn)["error"]
    assert error == "TokenRejected", error
    return f"the execution failed with {error}"


def a_list_announces_its_failure(account: Account) -> str:
    arn = account.start("WatchManyStateMachine", {"jobs": [{"module": "Leads", "job_id": "2"}]})
    account.announcement(outcome="WATCH_FAILED", job_id="2")
    summary = json.loads(account.announcement(outcome="SUMMARY")["Message"])
    assert (summary["jobs"], summary["unsuccessful"]) == (1, 1), summary
    return account.end(arn)["error"]


def a_schedule_announces_its_failure(account: Account) -> str:
    """By the command that the stack prints for people."""
    environment = {**os.environ, "MODULE": "Leads", "JOB_ID": "3"}
    subprocess.run(["sh", "-c", account.output("WatchScheduleCommand")], env=environment, check=True)
    account.announcement(outcome="WATCH_FAILED", job_id="3")
    scheduler, group = account.client("scheduler"), account.resource("ScheduleGroup")
    wait_for(lambda: not scheduler.list_schedules(GroupName=group)["Schedules"], "the deletion", 2 * MINUTES)
    return "announced, and the schedule is gone"


def an_updated_schedule_fires(account: Account) -> str:
    """What AWS documents nowhere: start dates to come and past, updates while one waits, and after the deletion."""
    scheduler, queue = account.client("scheduler"), account.output("DeadLetterQueueUrl")
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    role = account.client("iam").get_role(RoleName=account.resource("SchedulerRole"))["Role"]["Arn"]
    schedule = {"Name": "verification", "GroupName": account.resource("ScheduleGroup")}
    rate = {"ScheduleExpression": "rate(5 minutes)", "FlexibleTimeWindow": {"Mode": "OFF"}}

    def put(operation: str, step: str, minutes: int) -> datetime:
        target = {"Arn": attributes["QueueArn"], "RoleArn": role, "Input": json.dumps({"step": step, "arn": CONTEXT})}
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        getattr(scheduler, operation)(**schedule, **rate, StartDate=at, Target=target)
        stored = scheduler.get_schedule(**schedule)["Target"]["Input"]
        assert stored == target["Input"], "GetSchedule does not show the latest Input as it was written"
        return at

    def fired(operation: str, step: str, minutes: int) -> str:
        at = put(operation, step, minutes)
        account.receive(queue, lambda body: body.get("step") == step, minutes=8)
        return f"{step}: {(datetime.now(UTC) - at).total_seconds():+.0f} s"

    seen = [fired("create_schedule", "created", 3)]
    put("update_schedule", "replaced", 3)
    seen += [fired("update_schedule", step, minutes) for step, minutes in (("updated", 2), ("in the past", -1))]
    scheduler.delete_schedule(**schedule)
    try:
        put("update_schedule", "deleted", 2)
    except scheduler.exceptions.ResourceNotFoundException:
        return "after the start date, " + ", ".join(seen)
    raise AssertionError("UpdateSchedule after DeleteSchedule succeeded")


def one_of_two_puts_wins(account: Account) -> str:
    client, secret, rounds = account.client("secretsmanager"), f"{account.name}-puts", 5
    client.create_secret(Name=secret, SecretString="first")

    def put(text: str, token: str) -> bool:
        version = {"SecretString": text, "ClientRequestToken": token, "VersionStages": ["CANDIDATE"]}
        try:
            return bool(client.put_secret_value(SecretId=secret, **version))
        except client.exceptions.ResourceExistsException:
            return False

    try:
        with ThreadPoolExecutor(2) as pool:
            winners = [sum(pool.map(put, ["one", "two"], [str(uuid.uuid4())] * 2)) for _ in range(rounds)]
        current = client.get_secret_value(SecretId=secret)["SecretString"]
    finally:
        client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert (winners, current) == ([1] * rounds, "first"), f"winners per round: {winners}, AWSCURRENT: {current}"
    return f"exactly one in {rounds} rounds, and AWSCURRENT stayed"


def the_credentials_alarm_fires(account: Account) -> str:
    names, cloudwatch = [account.resource("CredentialErrorsAlarm")], account.client("cloudwatch")
    found = {"AlarmNames": names, "StateValue": "ALARM"}
    wait_for(lambda: cloudwatch.describe_alarms(**found)["MetricAlarms"], "the alarm", 15 * MINUTES)
    return "in ALARM"


QUESTIONS = {
    "Does Step Functions find nothing in the definitions?": definitions_are_valid,
    "Is the failure of a watch announced?": a_watch_announces_its_failure,
    "Is the failure of a list announced?": a_list_announces_its_failure,
    "Is the failure of a schedule announced, and the schedule deleted?": a_schedule_announces_its_failure,
    "Does a schedule fire at its start date, also after an update?": an_updated_schedule_fires,
    "Of two simultaneous puts under one token, does exactly one win?": one_of_two_puts_wins,
    "Does the alarm on credential errors fire?": the_credentials_alarm_fires,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make verify-aws ARGS=...", description=__doc__)
    parser.add_argument("--stack-name", default=f"verify-{secrets.token_hex(4)}", help="of the throwaway stack")
    arguments = parser.parse_args()
    session = boto3.Session()
    if session.get_credentials() is None or session.region_name is None:
        parser.error("no AWS credentials or no Region: set AWS_PROFILE and AWS_REGION, for example")
    owner = session.client("sts").get_caller_identity()["Account"]
    print(f"Deploying {arguments.stack_name} to account {owner} in {session.region_name}; it is removed at the end.")
    failed = 0
    with Account(arguments.stack_name) as account:
        for question, ask in QUESTIONS.items():
            try:
                result, detail = "pass", ask(account)
            except Exception as error:  # whatever went wrong is the answer
                result, detail, failed = "FAIL", f"{type(error).__name__}: {error}"[:300], failed + 1
            print(f"{result:<5} {question:<67} {detail}", flush=True)
    print(f"{len(QUESTIONS) - failed} of {len(QUESTIONS)} on AWS ({session.region_name}, {datetime.now(UTC):%Y-%m-%d})")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
