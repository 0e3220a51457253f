"""A Lambda function that SNS invokes, or SQS with raw message delivery off: handles each end of a watch once.

Delivery is at least once. The event ID is the same in every delivery of one end, so the first one that writes it wins.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])  # partition key: event_id (string); TTL: expires_at
REMEMBER_SECONDS = 30 * 24 * 3600


def handler(event: dict[str, Any], _: object = None) -> None:
    for record in event["Records"]:
        message = record["Sns"] if "Sns" in record else json.loads(record["body"])
        event_id = message["MessageAttributes"]["event_id"]["Value"]
        if not claim(event_id):
            continue
        try:
            react(json.loads(message["Message"]))
        except Exception:
            TABLE.delete_item(Key={"event_id": event_id})  # the next delivery tries again
            raise


def claim(event_id: str) -> bool:
    """Whether this is the first delivery of this end."""
    try:
        TABLE.put_item(
            Item={"event_id": event_id, "expires_at": int(time.time()) + REMEMBER_SECONDS},
            ConditionExpression="attribute_not_exists(event_id)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def react(report: dict[str, Any]) -> None:
    """Yours to write."""
    print(f"{report['module']} job {report['job_id']} ended: {report['outcome']}")
