"""What the end-to-end tests have in common: a deployed function with all that it works with."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.stack import Function, Invocation, Publication, Stack
from local.zoho_simulator import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SOID,
    RequestRecord,
)

LONG_LIFE = 1e9  # seconds: static tokens outlive every clock that a test moves
EVENTS = Path(__file__).resolve().parents[2] / "events"
JOB_ID = "3652397000009565021"
REPORT_KEYS = {
    "module",
    "job_id",
    "status",
    "finished",
    "outcome",
    "total_count",
    "updated_count",
    "not_updated_count",
    "failed_count",
    "progress_percent",
    "checks",
    "first_checked_at",
    "checked_at",
    "next_check_seconds",
}
CLIENT = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET}
REFRESH_TOKEN_SECRET = {**CLIENT, "refresh_token": DEFAULT_REFRESH_TOKEN, "data_center": "US"}
CLIENT_CREDENTIALS_SECRET = {**CLIENT, "soid": DEFAULT_SOID, "data_center": "US"}

COUNTS = {"Total_Count": 50000, "Updated_Count": 49500, "Not_Updated_Count": 0, "Failed_Count": 500}


def status(word: str = "COMPLETED", **changes: Any) -> dict:
    """Zoho's answer about a job; a count of None is left out."""
    job = {**COUNTS, "Status": word, **changes}
    return {"data": [{name: value for name, value in job.items() if value is not None}]}


def event(name: str) -> Any:
    """The payload in events/NAME.json."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


@dataclass
class Scene:
    """A function, its secret, its topic with a queue subscribed to it, and Zoho."""

    stack: Stack
    fn: Function
    secret_id: str
    topic_arn: str
    queue_url: str

    @property
    def zoho(self):
        return self.stack.zoho.control

    def check(
        self, job_id: str = JOB_ID, module: str = "Leads", timeout: float | None = None, **more: Any
    ) -> Invocation:
        """Ask for a job's status with a bare request."""
        return self.fn.invoke({"module": module, "job_id": job_id, **more}, timeout)

    def report(self, *arguments: Any, **more: Any) -> dict:
        """The report of a check that has to succeed."""
        answer = self.check(*arguments, **more)
        assert answer.ok, f"{answer.error_type}: {answer.error_message}"
        return answer.payload

    def finished_job(self, module: str = "Leads", job_id: str = JOB_ID, **job: Any) -> str:
        """Start a job that is over already."""
        job = {"run_seconds": 60, "total": 50000, "failed": 500, **job}
        self.zoho.start_job(module=module, job_id=job_id, **job)
        self.zoho.advance(job["run_seconds"] + 1)
        return job_id

    def running_job(self, module: str = "Leads", job_id: str = JOB_ID, **job: Any) -> str:
        """Start a job that will not end during a test, and let half of it pass."""
        job = {"run_seconds": 100_000, "total": 50000, **job}
        self.zoho.start_job(module=module, job_id=job_id, **job)
        self.zoho.advance(job["run_seconds"] / 2)
        return job_id

    def issue_token(self, **token: Any) -> str:
        """A live access token that no clock of a test kills."""
        return self.zoho.issue_token(life_seconds=LONG_LIFE, **token)

    def requests(self) -> list[RequestRecord]:
        """What Zoho's API was asked."""
        return self.zoho.stats().requests_to("crm")

    def token_requests(self) -> list[RequestRecord]:
        """What Zoho's accounts server was asked."""
        return self.zoho.stats().requests_to("accounts")

    def put_secret(self, secret: dict | str) -> None:
        text = secret if isinstance(secret, str) else json.dumps(secret)
        self.stack.client("secretsmanager").put_secret_value(SecretId=self.secret_id, SecretString=text)

    def published(self) -> list[Publication]:
        return self.stack.published(self.topic_arn)

    def received(self) -> list[dict]:
        """Drain the queue: the bodies, as SNS wraps them."""
        sqs = self.stack.client("sqs")
        bodies = []
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def create_schedule(self, arn: str | None = None) -> str:
        """Make a schedule, in a group of its own or as the ARN says, and return its ARN."""
        group, name = arn.split("/")[-2:] if arn else (self.stack.unique("group"), self.stack.unique("watch"))
        scheduler = self.stack.client("scheduler")
        with contextlib.suppress(scheduler.exceptions.ConflictException):
            scheduler.create_schedule_group(Name=group)
        target = {"Arn": self.fn.arn, "RoleArn": "arn:aws:iam::123456789012:role/scheduler"}
        answer = scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )
        return answer["ScheduleArn"]

    def schedule_exists(self, arn: str) -> bool:
        group, name = arn.split("/")[-2:]
        listed = self.stack.client("scheduler").list_schedules(GroupName=group)["Schedules"]
        return name in [schedule["Name"] for schedule in listed]
