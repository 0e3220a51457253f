"""A message as it was published to SNS, with the text for each protocol (email and SMS included)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from local.aws_endpoint.gateway import Call


@dataclass
class Publication:
    """One `Publish` request. If the message structure is JSON, `texts` has one text for each protocol."""

    topic_arn: str
    message: str
    structure: str | None
    subject: str | None
    attributes: dict[str, dict[str, str]]
    group_id: str | None
    deduplication_id: str | None

    @property
    def texts(self) -> dict[str, str]:
        return json.loads(self.message) if self.structure == "json" else {"default": self.message}

    @property
    def report(self) -> dict:
        """The report, which is the `default` text."""
        return json.loads(self.texts["default"])

    @property
    def values(self) -> dict[str, str]:
        """The values of the message attributes by name."""
        return {name: attribute["StringValue"] for name, attribute in self.attributes.items()}

    @classmethod
    def of(cls, call: Call) -> Publication:
        form = call.parameters
        attributes = {}
        for key, name in form.items():
            if match := re.fullmatch(r"MessageAttributes\.entry\.(\d+)\.Name", key):
                prefix = f"MessageAttributes.entry.{match[1]}.Value."
                attributes[name] = {k.removeprefix(prefix): v for k, v in form.items() if k.startswith(prefix)}
        return cls(
            form["TopicArn"],
            form["Message"],
            form.get("MessageStructure"),
            form.get("Subject"),
            attributes,
            form.get("MessageGroupId"),
            form.get("MessageDeduplicationId"),
        )
