"""Starts a "mass change owner" job and watches it, and never starts it twice.

Zoho's endpoint has no idempotency key: a request whose response is lost may have started a job all the same. So the
intention is written down before the request, under a key of the caller's choice (an order, a date, a user), and only
whoever writes it sends the request. If the response is lost, the item stays without a job ID, and a person decides.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import urllib3
from botocore.exceptions import ClientError


class Undecided(Exception):
    """A job may or may not have been started: look at Zoho CRM (Setup, Data Administration), then complete the item."""


class Rejected(Exception):
    """Zoho did not start a job. Another attempt is safe once the cause is fixed."""


def start_and_watch(
    key: str, module: str, body: dict[str, Any], *, table: Any, states: Any, machine_arn: str, api: str, token: str
) -> str:
    """Return the ID of the one job for this key; start it if nobody has. Safe to repeat at any point.

    `table` is a DynamoDB table with the partition key `key`; `states` is a Step Functions client.
    """
    job_id = claim(key, table)
    if job_id is None:
        try:
            job_id = start(module, body, api, token)
        except Rejected:
            table.delete_item(Key={"key": key})
            raise
        table.update_item(
            Key={"key": key},
            UpdateExpression="SET job_id = :job_id",
            ExpressionAttributeValues={":job_id": job_id},
        )
    watch(module, job_id, states, machine_arn)
    return job_id


def claim(key: str, table: Any) -> str | None:
    """None for the one caller that may start the job; the ID of the job for all others."""
    try:
        table.put_item(
            Item={"key": key},
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": "key"},
        )
        return None
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    item = table.get_item(Key={"key": key}, ConsistentRead=True)["Item"]
    if "job_id" not in item:
        raise Undecided(key)
    return item["job_id"]


def start(module: str, body: dict[str, Any], api: str, token: str) -> str:
    """One request, never repeated by the HTTP client."""
    response = urllib3.PoolManager(retries=False).request(
        "POST",
        f"{api}/crm/v8/{module}/actions/mass_change_owner",
        body=json.dumps(body),
        headers={"Authorization": f"Zoho-oauthtoken {token}", "Content-Type": "application/json"},
        timeout=30,
    )
    data = json.loads(response.data)["data"][0]
    if data["status"] != "success":
        raise Rejected(f"Zoho rejected the job: {data['code']} {data['message']}")
    return data["details"]["job_id"]


def watch(module: str, job_id: str, states: Any, machine_arn: str) -> None:
    """One execution per job: its name is that of the job."""
    with contextlib.suppress(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(
            stateMachineArn=machine_arn,
            name=f"{module}-{job_id}",
            input=json.dumps({"module": module, "job_id": job_id}),
        )
