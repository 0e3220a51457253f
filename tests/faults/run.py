"""Runs a cell of the fault matrix: one watch to its end, on its own Zoho, with its own function and schedule."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.stack import Function, Invocation, Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET, Zoho
from tests.e2e.test_logs import leaks
from tests.faults.matrix import RECOVERED, ZOHO, Cell, Fault

JOB_ID = "3652397000009565021"
RUN_SECONDS = 1_000
TIMEOUT_SECONDS = 8
REQUEST_TIMEOUT_SECONDS = 1
TIMES = {"once": 1, "twice": 2, "always": 100_000}
ACTIONS = {
    "Secrets Manager, GetSecretValue": ("secretsmanager", "GetSecretValue"),
    "Secrets Manager, PutSecretValue": ("secretsmanager", "PutSecretValue"),
    "SNS, Publish": ("sns", "Publish"),
    "Scheduler, DeleteSchedule": ("scheduler", "DeleteSchedule"),
}
# In a warm environment, these are only requested if the token is rejected.
NEEDS_A_NEW_TOKEN = ("Zoho accounts server", "Secrets Manager, GetSecretValue", "Secrets Manager, PutSecretValue")


@dataclass
class Observation:
    """What was observed in a cell."""

    result: str
    message: str = ""
    left: float = 0.0
    event_ids: list[str] = field(default_factory=list)
    schedule_exists: bool = False
    leaked: list[str] = field(default_factory=list)
    last: str = ""

    def problems(self, cell: Cell) -> list[str]:
        """The differences from the matrix."""
        found = []
        if self.result != cell.expected:
            found.append(f"{self.result} instead of {cell.expected}: {self.message}")
        if self.left < 0.5:
            found.append(f"responded {self.left:.2f} s before the deadline")
        if self.schedule_exists:
            found.append(f"the watch did not end: {self.last}")
        if len(set(self.event_ids)) != 1:
            found.append(f"published {self.event_ids or 'nothing'}")
        if self.leaked:
            found.append(f"showed {self.leaked}")
        return found


def run(stack: Stack, group: str, cell: Cell) -> Observation:
    """Run a cell. The faults end after the first invocation, and then the watch must end within three more."""
    with Zoho(token_life_seconds=86_400) as zoho:
        zoho.control.start_job(job_id=JOB_ID, run_seconds=RUN_SECONDS, total=100, failed=3)
        topic, secret_id, key = stack.topic(), stack.unique("secret"), stack.unique("AKIA")
        secret_arn = stack.secret(REFRESH_TOKEN_SECRET, secret_id)
        aws_secrets = [f"wJalrXUtnFEMI-{key}", f"IQoJb3JpZ2luX2Vj-{key}"]
        env = {
            "ZOHO_SECRET_ID": secret_arn,
            "STATUS_TOPIC_ARN": topic.arn,
            "ZOHO_API_DOMAIN": zoho.url,
            "ZOHO_ACCOUNTS_DOMAIN": zoho.url,
            "REQUEST_TIMEOUT_SECONDS": str(REQUEST_TIMEOUT_SECONDS),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": aws_secrets[0],
            "AWS_SESSION_TOKEN": aws_secrets[1],
            "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
            "RUST_LOG": "trace",
        }
        with stack.function(stack.unique("watch"), env=env, timeout=TIMEOUT_SECONDS) as function:
            schedule, request = _schedule(stack, group, function)
            if cell.start == "warm":
                # An execution environment and a watch that have both had good responses.
                function.invoke({"module": "Leads", "job_id": JOB_ID}, timeout=30)
                request["first_checked_at"] = minutes_ago(20)
                if cell.dependency in NEEDS_A_NEW_TOKEN:
                    for token in zoho.access_tokens:
                        zoho.control.revoke(token)
            zoho.control.advance(RUN_SECONDS)
            with _fault(stack, zoho, cell, key):
                first = function.invoke(request)
            invocations = [first]
            is_over = schedule_gone(stack, group, schedule)
            if not is_over:
                if cell.dependency == "Zoho accounts server":
                    # A failed token request starts a cooldown, which new credentials end.
                    secrets_manager = stack.client("secretsmanager")
                    text = json.dumps(REFRESH_TOKEN_SECRET)
                    secrets_manager.put_secret_value(SecretId=secret_id, SecretString=text)
                for _ in range(3):
                    invocations.append(function.invoke(request, timeout=30))
                    if schedule_gone(stack, group, schedule):
                        break
        published = stack.published(topic.arn)
        shown = [json.dumps(invocation.payload) for invocation in invocations]
        shown += [f"{publication.subject} {publication.message}" for publication in published] + [function.output]
        secrets = [*REFRESH_TOKEN_SECRET.values(), *zoho.access_tokens, *aws_secrets]
        return Observation(
            result=error_type(first) or (RECOVERED if is_over else "a schedule that was not deleted"),
            message=error_message(first),
            left=first.left,
            event_ids=[publication.values["event_id"] for publication in published],
            schedule_exists=not schedule_gone(stack, group, schedule),
            leaked=leaks("\n".join(shown), [secret for secret in secrets if secret != "US"]),
            last=f"{error_type(invocations[-1])}: {error_message(invocations[-1])}",
        )


def error_type(invocation: Invocation) -> str:
    """The error of an invocation, or of the watch that it ended."""
    if not invocation.ok:
        return invocation.error_type or "?"
    return (invocation.payload.get("error") or {}).get("type", "")


def error_message(invocation: Invocation) -> str:
    return invocation.error_message or ((invocation.payload or {}).get("error") or {}).get("message", "")


def minutes_ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def schedule_gone(stack: Stack, group: str, name: str) -> bool:
    scheduler = stack.client("scheduler")
    try:
        scheduler.get_schedule(GroupName=group, Name=name)
    except scheduler.exceptions.ResourceNotFoundException:
        return True
    return False


def _schedule(stack: Stack, group: str, function: Function) -> tuple[str, dict[str, str]]:
    name = stack.unique("watch")
    target = {"Arn": function.arn, "RoleArn": "arn:aws:iam::123456789012:role/scheduler"}
    created = stack.client("scheduler").create_schedule(
        Name=name,
        GroupName=group,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    return name, {"module": "Leads", "job_id": JOB_ID, "schedule_arn": created["ScheduleArn"]}


@contextlib.contextmanager
def _fault(stack: Stack, zoho: Zoho, cell: Cell, access_key: str) -> Iterator[None]:
    fault, times = cell.fault, TIMES[cell.times]
    if cell.dependency in ZOHO:
        side = "crm" if cell.dependency == "Zoho API" else "accounts"
        if fault.kind:
            zoho.control.fault(fault.kind, times, side, **dict(fault.parameters))
        else:
            zoho.control.respond(fault.status, _content_type(fault), fault.body, times, side)
        yield
        zoho.control.clear_faults()
        return
    service, action = ACTIONS[cell.dependency]
    how = {"access_key": access_key, "times": times}
    if fault.kind:
        how |= {"kind": fault.kind, "parameters": dict(fault.parameters), "status": None}
    elif fault.code:
        how |= {"status": fault.status, "code": fault.code}
    else:
        content_type = "text/html" if fault.body.startswith("<") else "application/json"
        how |= {"status": fault.status, "body": fault.body, "content_type": content_type}
    with stack.fail_aws(service, action, **how):
        yield


def _content_type(fault: Fault) -> dict[str, str]:
    return {"Content-Type": "text/html"} if fault.body.startswith("<") else {}


def warm_up(stack: Stack) -> str:
    """Create a schedule group and use each service once, because moto loads a service with its first request."""
    group = stack.unique("watches")
    stack.client("scheduler").create_schedule_group(Name=group)
    topic = stack.topic()
    stack.client("sns").publish(TopicArn=topic.arn, Message="{}")
    topic.subscriber.drain()
    stack.secret("{}")
    return group
