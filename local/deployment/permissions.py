"""The roles of the template, evaluated: what AWS's IAM would say to each call that a role makes.

Only what the template uses is here: statements that allow, wildcards, and the condition on the resource's account.
An unknown call is denied, so that a new one cannot pass unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.aws_endpoint.gateway import Call
from local.aws_endpoint.moto_process import ACCOUNT_ID, REGION
from local.deployment.template import Resolved

Permission = tuple[str, str]

# What a service does on behalf of the caller with the key of an encrypted resource, by the documentation of each.
_KEY_USE = {
    "secretsmanager:GetSecretValue": ["kms:Decrypt"],
    "secretsmanager:PutSecretValue": ["kms:GenerateDataKey", "kms:Decrypt"],
    "sns:Publish": ["kms:GenerateDataKey", "kms:Decrypt"],
    "s3:GetObject": ["kms:Decrypt"],
    "s3:PutObject": ["kms:GenerateDataKey", "kms:Decrypt"],
}
# A state that waits for another execution is refused without these when the state machine is created.
_SYNC_RULE = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
SYNC_RULE = [(action, _SYNC_RULE) for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule")]


# The conditions of the template, which every call here meets.
_CONDITIONS = [
    {"StringEquals": {"aws:ResourceAccount": ACCOUNT_ID}},
    {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
]


class Roles:
    """All roles of a deployed template. `without` names a role and a Sid of it that is left out.

    `denials` are the calls that were denied so far.
    """

    def __init__(self, template: Resolved, without: tuple[str, str] | None = None) -> None:
        self._statements: dict[str, list[dict[str, Any]]] = {}
        self.denials: list[str] = []
        for logical_id, resource in template.resources.items():
            if resource["Type"] == "AWS::IAM::Role":
                statements = [
                    statement
                    for policy in resource["Properties"]["Policies"]
                    for statement in policy["PolicyDocument"]["Statement"]
                    if (logical_id, statement["Sid"]) != without
                ]
                self._statements[template.references[logical_id]] = statements
        for resource in template.resources.values():
            if resource["Type"] == "AWS::IAM::Policy":
                for role in resource["Properties"]["Roles"]:
                    self._statements[role] += resource["Properties"]["PolicyDocument"]["Statement"]
        self._keys = {
            template.references[resource]: template.references[key]
            for resource, key in (
                ("ZohoSecretArn", "SecretKmsKeyArn"),
                ("StatusTopic", "TopicKmsKeyArn"),
                ("JobsBucket", "JobsBucketKmsKeyArn"),
            )
            if template.references[key]
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def denial(self, role: str, call: Call) -> str | None:
        """Why a role may not make a call, in the words of IAM; None if it may."""
        if denial := self.first_missing(role, self._with_keys(needed(call))):
            self.denials.append(denial)
        return denial

    def first_missing(self, role: str, permissions: list[Permission]) -> str | None:
        for action, resource in permissions:
            if not any(_allows(statement, action, resource) for statement in self._statements[role]):
                principal = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/session"
                return f"User: {principal} is not authorized to perform: {action} on resource: {resource}"
        return None

    def _with_keys(self, permissions: list[Permission]) -> list[Permission]:
        keys = [
            (use, key)
            for action, resource in permissions
            for use in _KEY_USE.get(action, [])
            for encrypted, key in self._keys.items()
            if resource == encrypted or resource.startswith(f"arn:aws:s3:::{encrypted}/")
        ]
        return permissions + keys


def needed(call: Call) -> list[Permission]:
    """The actions, and the resources of each, that IAM checks for a call."""
    if call.service == "s3":
        return _s3(call)
    action = f"{call.service}:{call.action}"
    parameters = call.parameters if call.service != "lambda" else {}
    path = urlsplit(call.path)
    if action == "lambda:Invoke":
        return [("lambda:InvokeFunction", _function_arn(unquote(path.path).split("/")[3]))]
    if action == "sqs:SendMessage":
        return [(action, f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{parameters['QueueUrl'].rsplit('/', 1)[1]}")]
    if action == "scheduler:UpdateSchedule":
        schedule = f"{parameters.get('GroupName', 'default')}/{path.path.rsplit('/', 1)[1]}"
        passed = ("iam:PassRole", parameters["Target"]["RoleArn"])
        return [(action, f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/{schedule}"), passed]
    if action in ("scheduler:GetSchedule", "scheduler:DeleteSchedule"):
        name, group = path.path.rsplit("/", 1)[1], parse_qs(path.query).get("groupName", ["default"])[0]
        return [(action, f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/{group}/{name}")]
    members = {
        "sns:Publish": "TopicArn",
        "secretsmanager:GetSecretValue": "SecretId",
        "secretsmanager:PutSecretValue": "SecretId",
        "states:StartExecution": "stateMachineArn",
        "states:DescribeExecution": "executionArn",
        "states:ListMapRuns": "executionArn",
        "states:DescribeMapRun": "mapRunArn",
    }
    return [(action, parameters[members[action]] if action in members else "unknown")]


def _s3(call: Call) -> list[Permission]:
    method, _, path = call.action.partition(" ")
    bucket, _, key = unquote(path.lstrip("/")).partition("/")
    if not key:
        return [("s3:ListBucket", f"arn:aws:s3:::{bucket}")]
    action = {"GET": "s3:GetObject", "PUT": "s3:PutObject"}.get(method, f"s3:{method}")
    return [(action, f"arn:aws:s3:::{bucket}/{key}")]


def _function_arn(reference: str) -> str:
    return reference if reference.startswith("arn:") else f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{reference}"


def _allows(statement: dict[str, Any], action: str, resource: str) -> bool:
    return (
        statement["Effect"] == "Allow"
        and statement.get("Condition", _CONDITIONS[0]) in _CONDITIONS
        and any(_matches(pattern, action) for pattern in as_list(statement["Action"]))
        and any(_matches(pattern, resource) for pattern in as_list(statement["Resource"]))
    )


def _matches(pattern: str, text: str) -> bool:
    return fnmatchcase(text, re.sub(r"\[", "[[]", pattern))


def as_list(value: Any) -> list[Any]:
    """IAM and CloudFormation take one value instead of a list of one."""
    return value if isinstance(value, list) else [value]
