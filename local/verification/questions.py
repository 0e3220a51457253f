"""The questions. Each is a function that returns a line about what it saw, or raises AssertionError."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from local.verification.target import Target, wait_for

MINUTES = 60.0


@dataclass(frozen=True)
class Question:
    """`only_aws` marks what no local emulation can answer."""

    text: str
    ask: Callable[[Scene], str]
    only_aws: bool = False


class Scene:
    """A target, and a queue that subscribes to its topic."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @cached_property
    def queue_url(self) -> str:
        sqs, sns = self.target.client("sqs"), self.target.client("sns")
        url = sqs.create_queue(QueueName=f"{self.target.name}-verification")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = self.target.output("StatusTopicArn")
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def close(self) -> None:
        self.target.client("sqs").delete_queue(QueueUrl=self.queue_url)

    def message(self, **attributes: str) -> dict[str, Any]:
        """The next message of the topic with these attributes; others are dropped."""
        sqs = self.target.client("sqs")

        def receive() -> dict[str, Any] | None:
            for message in sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", []):
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                body = json.loads(message["Body"])
                found = {name: value["Value"] for name, value in body.get("MessageAttributes", {}).items()}
                if attributes.items() <= found.items():
                    return body
            return None

        return wait_for(f"a message with {attributes}", receive, 5 * MINUTES)

    def start(self, machine: str, request: Any, name: str | None = None) -> str:
        arn = self.target.output(machine)
        document = json.dumps(request, separators=(",", ":"))
        started = self.target.client("stepfunctions").start_execution(
            stateMachineArn=arn, name=name or str(uuid.uuid4()), input=document
        )
        return started["executionArn"]

    def describe(self, arn: str) -> dict[str, Any]:
        return self.target.client("stepfunctions").describe_execution(executionArn=arn)

    def end(self, arn: str, seconds: float = 5 * MINUTES) -> dict[str, Any]:
        wait_for(f"the end of {arn}", lambda: self.describe(arn)["status"] != "RUNNING", seconds)
        return self.describe(arn)

    def running(self) -> list[str]:
        """The running watches."""
        listed = self.target.client("stepfunctions").list_executions(
            stateMachineArn=self.target.output("WatchStateMachineArn"), statusFilter="RUNNING"
        )
        return [one["executionArn"] for one in listed["executions"]]


def job(number: int) -> dict[str, str]:
    return {"module": "Leads", "job_id": str(number)}


def definitions_are_valid(scene: Scene) -> str:
    findings = []
    for machine in ("WatchStateMachine", "WatchListedJobStateMachine", "WatchManyStateMachine"):
        response = scene.target.client("stepfunctions").validate_state_machine_definition(
            definition=scene.target.definition(machine), severity="WARNING"
        )
        findings += [f"{machine}: {finding['message']}" for finding in response["diagnostics"]]
    assert not findings, "; ".join(findings)
    return "no diagnostics"


def a_watch_announces_its_failure(scene: Scene) -> str:
    assert scene.queue_url
    arn = scene.start("WatchStateMachineArn", job(1))
    scene.message(outcome="WATCH_FAILED", job_id="1")
    error = scene.end(arn)["error"]
    assert error == "TokenRejected", error
    return f"the execution failed with {error}"


def a_list_announces_its_failure(scene: Scene) -> str:
    arn = scene.start("WatchManyStateMachineArn", {"jobs": [job(2)]})
    scene.message(outcome="WATCH_FAILED", job_id="2")
    summary = json.loads(scene.message(outcome="SUMMARY")["Message"])
    assert (summary["jobs"], summary["unsuccessful"]) == (1, 1), summary
    return scene.end(arn)["error"]


def schedule_target(command: str, module: str, job_id: str) -> dict[str, Any]:
    """The target in the output WatchScheduleCommand, as the shell would read it; the time of creation is left out."""
    text = command[command.index("--target '") + len("--target '") : command.rindex("'")]
    target = json.loads(
        re.sub(r"""'"\$\(date[^)]*\)"'""", "", text)
        .replace("""'"$MODULE"'""", module)
        .replace("""'"$JOB_ID"'""", job_id)
    )
    request = json.loads(target["Input"])
    del request["first_checked_at"]
    return {**target, "Input": json.dumps(request)}


def a_schedule_announces_its_failure(scene: Scene) -> str:
    scheduler, group = scene.target.client("scheduler"), scene.target.resource("ScheduleGroup")
    target = schedule_target(scene.target.output("WatchScheduleCommand"), "Leads", "3")
    scheduler.create_schedule(
        Name="Leads-3",
        GroupName=group,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    scene.message(outcome="WATCH_FAILED", job_id="3")

    def is_gone() -> bool:
        return not scheduler.list_schedules(GroupName=group)["Schedules"]

    wait_for("the deletion of the schedule", is_gone, 2 * MINUTES)
    return "announced, and the schedule is gone"


def a_long_list_is_summarized(scene: Scene) -> str:
    size = scene.target.list_size
    jobs = [job(100_000 + number) for number in range(size)]
    arn = scene.start("WatchManyStateMachineArn", {"jobs": jobs, "notify_each": False})
    summary = json.loads(wait_for_summary(scene, arn)["Message"])
    assert summary["jobs"] == summary["ended"] == summary["unsuccessful"] == size, summary
    cause = scene.end(arn)["cause"]
    assert json.loads(cause) == summary
    return f"{size} jobs counted, and a cause of {len(cause)} characters"


def wait_for_summary(scene: Scene, arn: str) -> dict[str, Any]:
    scene.end(arn, 60 * MINUTES)
    return scene.message(outcome="SUMMARY", event_id=f"{arn.rsplit(':', 1)[1]}-SUMMARY")


def one_of_two_puts_wins(scene: Scene) -> str:
    secrets = scene.target.client("secretsmanager")
    name = f"{scene.target.name}-puts"
    secrets.create_secret(Name=name, SecretString="first")
    rounds, winners = 5, []
    try:
        for _ in range(rounds):
            token = str(uuid.uuid4())

            def put(text: str, token: str = token) -> bool:
                try:
                    secrets.put_secret_value(
                        SecretId=name, SecretString=text, ClientRequestToken=token, VersionStages=["CANDIDATE"]
                    )
                except secrets.exceptions.ResourceExistsException:
                    return False
                return True

            with ThreadPoolExecutor(2) as pool:
                winners.append(sum(pool.map(put, ["one", "two"])))
        current = secrets.get_secret_value(SecretId=name)["SecretString"]
    finally:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert winners == [1] * rounds, f"winners per round: {winners}"
    assert current == "first", "AWSCURRENT has moved"
    return f"exactly one in {rounds} rounds, and AWSCURRENT stayed"


def the_credentials_alarm_fires(scene: Scene) -> str:
    name = scene.target.resource("CredentialErrorsAlarm")

    def fires() -> bool:
        (alarm,) = scene.target.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return alarm["StateValue"] == "ALARM"

    wait_for("the alarm", fires, 15 * MINUTES)
    return "in ALARM"


def a_subject_must_be_ascii(scene: Scene) -> str:
    try:
        scene.target.client("sns").publish(
            TopicArn=scene.target.output("StatusTopicArn"), Subject="café", Message="verification"
        )
    except ClientError as error:
        return f"rejected with {error.response['Error']['Code']}"
    raise AssertionError("SNS accepted a subject that is not ASCII")


def a_running_watch_is_joined(scene: Scene) -> str:
    scene.target.make_zoho_unavailable()
    first = scene.start("WatchStateMachineArn", job(4), "Leads-4")
    second = scene.start("WatchStateMachineArn", job(4), "Leads-4")
    assert first == second, "two executions under one name"
    scene.start("WatchManyStateMachineArn", {"jobs": [job(4)]}, "joining")
    listed_job = scene.target.resource("WatchListedJobStateMachine")

    def is_followed() -> bool:
        listed = scene.target.client("stepfunctions").list_executions(
            stateMachineArn=listed_job, statusFilter="RUNNING"
        )
        return bool(listed["executions"])

    wait_for("the list's wait for its job", is_followed, MINUTES)
    assert scene.running() == [first], scene.running()
    return "two starts and a list: one execution"


def stopping_a_list_leaves_its_watches(scene: Scene) -> str:
    arn = scene.start("WatchManyStateMachineArn", {"jobs": [job(5)]}, "stopping")
    watch = wait_for("the start of the watch", lambda: [one for one in scene.running() if ":Leads-5" in one], MINUTES)
    scene.target.client("stepfunctions").stop_execution(executionArn=arn)
    assert scene.end(arn)["status"] == "ABORTED"
    wait_for("a moment", lambda: True, 1)
    assert scene.describe(watch[0])["status"] == "RUNNING"
    return "the watch goes on"


def a_stopped_execution_is_reported(scene: Scene) -> str:
    sqs, url = scene.target.client("sqs"), scene.target.output("DeadLetterQueueUrl")

    def reported() -> bool:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
        return any(json.loads(message["Body"]).get("detail", {}).get("status") == "ABORTED" for message in messages)

    wait_for("the event in the dead-letter queue", reported, 5 * MINUTES)
    return "the event is in the dead-letter queue"


def a_null_input_is_reported(scene: Scene) -> str:
    ended = scene.end(scene.start("WatchStateMachineArn", None))
    assert ended["status"] == "FAILED"
    return f"the execution failed with {ended['error']}"


QUESTIONS = [
    Question("Does Step Functions find nothing in the definitions?", definitions_are_valid, only_aws=True),
    Question("Is the failure of a watch announced?", a_watch_announces_its_failure),
    Question("Is the failure of a list announced?", a_list_announces_its_failure),
    Question(
        "Is the failure of a schedule announced, and the schedule deleted?", a_schedule_announces_its_failure, True
    ),
    Question("Is a list of 1,000 jobs summarized, with a long cause?", a_long_list_is_summarized),
    Question("Does the input null end with an error?", a_null_input_is_reported),
    Question("Of two simultaneous puts under one token, does exactly one win?", one_of_two_puts_wins),
    Question("Does SNS reject a subject that is not ASCII?", a_subject_must_be_ascii, only_aws=True),
    Question("Does the alarm on credential errors fire?", the_credentials_alarm_fires, only_aws=True),
    Question("Is a running watch joined, by a second start and by a list?", a_running_watch_is_joined),
    Question("Does stopping a list leave its watches running?", stopping_a_list_leaves_its_watches),
    Question("Does a stopped list reach the dead-letter queue?", a_stopped_execution_is_reported, only_aws=True),
]
