"""A deployed function with everything that it works with, as the end-to-end tests use it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.aws_endpoint.moto_process import REGION
from local.stack import Function, Invocation, Publication, Stack, Topic
from local.zoho_simulator import RequestRecord, ZohoControl
from tests import schemas

LONG_LIFE = 1e9  # seconds: static tokens stay valid however far a test moves the clock
EVENTS = Path(__file__).resolve().parents[2] / "events"
JOB_ID = "3652397000009565021"
REPORT_KEYS = set(schemas.schema("report")["required"])
COUNTS = {"Total_Count": 50000, "Updated_Count": 49500, "Not_Updated_Count": 0, "Failed_Count": 500}


def status(value: str = "COMPLETED", **changes: Any) -> dict:
    """Zoho's response for a job. A count of None is omitted."""
    job = {**COUNTS, "Status": value, **changes}
    return {"data": [{name: value for name, value in job.items() if value is not None}]}


def event(name: str) -> Any:
    """The payload in events/NAME.json, with ARNs in the Region of the local stack."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8").replace(":eu-west-1:", f":{REGION}:"))


@dataclass
class Scene:
    """A function, its secret, its topic with a subscriber, and Zoho."""

    stack: Stack
    fn: Function
    secret_id: str
    topic: Topic

    @property
    def zoho(self) -> ZohoControl:
        return self.stack.zoho.control

    def check(
        self, job_id: str = JOB_ID, module: str = "Leads", timeout: float | None = None, **more: Any
    ) -> Invocation:
        """Invoke the function with a bare request."""
        return self.fn.invoke({"module": module, "job_id": job_id, **more}, timeout)

    def report(self, *arguments: Any, **more: Any) -> dict:
        """The report of a check that must succeed."""
        result = self.check(*arguments, **more)
        assert result.ok, f"{result.error_type}: {result.error_message}"
        return result.payload

    def finished_job(self) -> None:
        """A job that has ended."""
        self.zoho.start_job(job_id=JOB_ID, run_seconds=0, failed=500)

    def running_job(self, module: str = "Leads", job_id: str = JOB_ID, run_seconds: float = 100_000) -> None:
        """A job that does not end during a test, after half of its time."""
        self.zoho.start_job(module=module, job_id=job_id, run_seconds=run_seconds)
        self.zoho.advance(run_seconds / 2)

    def issue_token(self) -> str:
        """A valid access token that does not expire however far a test moves the clock."""
        return self.zoho.issue_token(life_seconds=LONG_LIFE)

    def requests(self) -> list[RequestRecord]:
        """The requests to Zoho's API."""
        return self.zoho.stats().requests_to("crm")

    def token_requests(self) -> list[RequestRecord]:
        """The requests to Zoho's accounts server."""
        return self.zoho.stats().requests_to("accounts")

    def put_secret(self, secret: dict | str) -> None:
        text = secret if isinstance(secret, str) else json.dumps(secret)
        self.stack.client("secretsmanager").put_secret_value(SecretId=self.secret_id, SecretString=text)

    def published(self) -> list[Publication]:
        return self.stack.published(self.topic.arn)

    def received(self) -> list[dict]:
        """The messages at the subscriber since the last call, as SNS wraps them."""
        return self.topic.subscriber.drain()

    def create_schedule(self, arn: str | None = None, job_id: str | None = JOB_ID, **more: Any) -> str:
        """Create the schedule of a watch, with this ARN or in a new group, and return its ARN."""
        group, name = arn.split("/")[-2:] if arn else (self.stack.unique("group"), self.stack.unique("watch"))
        scheduler = self.stack.client("scheduler")
        with contextlib.suppress(scheduler.exceptions.ConflictException):
            scheduler.create_schedule_group(Name=group)
        request = {"module": "Leads", "job_id": job_id, "schedule_arn": "<aws.scheduler.schedule-arn>", **more}
        created = scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression="rate(1 minute)",
            FlexibleTimeWindow={"Mode": "OFF"},
            EndDate=datetime.now(UTC) + timedelta(days=2),
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": self.fn.arn,
                "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
                "Input": json.dumps(request),
                "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
            },
        )
        return created["ScheduleArn"]

    def schedule(self, arn: str) -> dict[str, Any] | None:
        """The schedule as it is now; None if it does not exist."""
        group, name = arn.split("/")[-2:]
        scheduler = self.stack.client("scheduler")
        try:
            return scheduler.get_schedule(GroupName=group, Name=name)
        except scheduler.exceptions.ResourceNotFoundException:
            return None


def ago(**time: float) -> str:
    """A time in the past, as reports have it."""
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")
