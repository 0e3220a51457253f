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

_KEYS = {"ZohoSecretArn": "SecretKmsKeyArn", "StatusTopic": "TopicKmsKeyArn", "JobsBucket": "JobsBucketKmsKeyArn"}
# The conditions of the template, which every call here meets.
_CONDITIONS = [{"aws:ResourceAccount": ACCOUNT_ID}, {"iam:PassedToService": "scheduler.amazonaws.com"}]


def statements(template: Resolved, role: str) -> list[dict[str, Any]]:
    """What a role permits: in its own policies, in managed ones, and in those that name the role."""
    properties, name = template.properties(role), template.references[role]
    documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    for key, resource in template.resources.items():
        if template.references[key] in properties.get("ManagedPolicyArns", []) or (
            resource["Type"] == "AWS::IAM::Policy" and name in resource["Properties"]["Roles"]
        ):
            documents.append(resource["Properties"]["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


class Roles:
    """All roles of a deployed template. `without` names a role, and a Sid or an action of it that is left out.

    `denials` are the calls that were denied so far.
    """

    def __init__(self, template: Resolved, without: tuple[str, str] | None = None) -> None:
        self.denials: list[str] = []
        self._statements = {
            template.references[role]: [
                {**one, "Action": [action for action in as_list(one["Action"]) if (role, action) != without]}
                for one in statements(template, role)
                if (role, one["Sid"]) != without
            ]
            for role, resource in template.resources.items()
            if resource["Type"] == "AWS::IAM::Role"
        }
        references = template.references
        self._keys = {references[one]: references[key] for one, key in _KEYS.items() if references[key]}

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
    url = urlsplit(call.path)
    path = unquote(url.path).split("/")
    action, own = f"{call.service}:{call.action}", f"{REGION}:{ACCOUNT_ID}"
    if call.service == "s3":
        method, _, target = call.action.partition(" ")
        bucket, _, key = unquote(target.lstrip("/")).partition("/")
        name = {"GET": "GetObject", "PUT": "PutObject"}.get(method, method) if key else "ListBucket"
        return [(f"s3:{name}", f"arn:aws:s3:::{bucket}/{key}".rstrip("/"))]
    if action == "lambda:Invoke":
        return [("lambda:InvokeFunction", path[3] if ":" in path[3] else f"arn:aws:lambda:{own}:function:{path[3]}")]
    parameters = call.parameters
    if action == "sqs:SendMessage":
        return [(action, f"arn:aws:sqs:{own}:{parameters['QueueUrl'].rsplit('/', 1)[1]}")]
    if call.service == "scheduler":
        group = parse_qs(url.query).get("groupName", [parameters.get("GroupName", "default")])[0]
        passed = [("iam:PassRole", parameters["Target"]["RoleArn"])] if call.action == "UpdateSchedule" else []
        return [(action, f"arn:aws:scheduler:{own}:schedule/{group}/{path[-1]}"), *passed]
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


def _allows(statement: dict[str, Any], action: str, resource: str) -> bool:
    return (
        statement["Effect"] == "Allow"
        and ("Condition" not in statement or statement["Condition"].get("StringEquals") in _CONDITIONS)
        and action in statement["Action"]
        and any(_matches(pattern, resource) for pattern in as_list(statement["Resource"]))
    )


def _matches(pattern: str, text: str) -> bool:
    return fnmatchcase(text, re.sub(r"\[", "[[]", pattern))


def as_list(value: Any) -> list[Any]:
    """IAM and CloudFormation take one value instead of a list of one."""
    return value if isinstance(value, list) else [value]
