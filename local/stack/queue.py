"""SQS queues, and topics with a queue as their subscriber."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Queue:
    """An SQS queue whose messages are JSON documents."""

    sqs: Any
    url: str
    arn: str

    @classmethod
    def create(cls, sqs: Any, name: str) -> Queue:
        """Create a queue with this name; one that ends in .fifo is a FIFO queue."""
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return cls(sqs, url, arn)

    def drain(self) -> list[Any]:
        """Receive and delete all messages, and return their bodies."""
        bodies = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@dataclass(frozen=True)
class Topic:
    """An SNS topic with a queue as its subscriber."""

    arn: str
    subscriber: Queue

    @classmethod
    def create(cls, sns: Any, sqs: Any, name: str, queue_name: str) -> Topic:
        """Create a topic with this name, and a queue that subscribes to it; FIFO if the names end in .fifo."""
        fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"} if name.endswith(".fifo") else {}
        arn = sns.create_topic(Name=name, Attributes=fifo)["TopicArn"]
        queue = Queue.create(sqs, queue_name)
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue.arn)
        return cls(arn, queue)
