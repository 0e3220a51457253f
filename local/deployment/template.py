"""template.yaml as CloudFormation gets it: expanded by SAM's own translator, and resolved for given parameters."""

from __future__ import annotations

import copy
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from local.aws_endpoint.moto_process import ACCOUNT_ID, REGION

ROOT = Path(__file__).resolve().parents[2]

# What Ref and GetAtt give for a resource of each type; {} is its name.
_IDENTITIES = {
    "AWS::CloudWatch::Alarm": {"Ref": "{}", "Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{{}}"},
    "AWS::Events::Rule": {"Arn": f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{{}}"},
    "AWS::IAM::Role": {"Ref": "{}", "Arn": f"arn:aws:iam::{ACCOUNT_ID}:role/{{}}"},
    "AWS::Lambda::Function": {"Ref": "{}", "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{{}}"},
    "AWS::Logs::LogGroup": {"Ref": "{}", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{{}}:*"},
    "AWS::SNS::Topic": {"Ref": f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{{}}", "TopicName": "{}"},
    "AWS::SQS::Queue": {
        "Ref": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{{}}",
        "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{{}}",
        "QueueName": "{}",
    },
    "AWS::Scheduler::ScheduleGroup": {
        "Ref": "{}",
        "Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule-group/{{}}",
    },
    "AWS::SecretsManager::Secret": {"Ref": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:{{}}-AbCdEf"},
    "AWS::StepFunctions::StateMachine": {"Ref": f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{{}}"},
}
_NO_VALUE = object()


@dataclass(frozen=True)
class Resolved:
    """The template in a folder, resolved: what would be deployed. Resources whose condition is false are absent."""

    root: Path
    name: str
    resources: dict[str, Any]
    outputs: dict[str, str]
    references: dict[str, str]  # what Ref gives for each parameter and resource
    arns: dict[str, str]  # what GetAtt gives as the Arn of each resource that has one

    def properties(self, resource: str) -> dict[str, Any]:
        return self.resources[resource]["Properties"]

    @property
    def dashboard(self) -> dict[str, Any]:
        return json.loads(self.properties("Dashboard")["DashboardBody"])


@cache
def source(root: Path = ROOT) -> dict[str, Any]:
    """The template as it stands in the file, short forms of the intrinsic functions written out."""
    return yaml_parse((root / "template.yaml").read_text(encoding="utf-8"))


@cache
def expanded(root: Path = ROOT) -> dict[str, Any]:
    """Plain CloudFormation, the state machines' definitions inline so that linters look into them."""
    template = copy.deepcopy(source(root))
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine":
            definition = root / properties.pop("DefinitionUri")
            properties["Definition"] = json.loads(definition.read_text(encoding="utf-8"))
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = "s3://artifacts/function.zip"
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    return transform(template, {}, SimpleNamespace(load=dict))  # no managed policy of AWS


def definition(resource: str, stack: Resolved) -> str:
    """A state machine's definition, the file that the template names, with the template's substitutions applied."""
    properties = source(stack.root)["Resources"][resource]["Properties"]
    text = (stack.root / properties["DefinitionUri"]).read_text(encoding="utf-8")
    for name, value in stack.properties(resource)["DefinitionSubstitutions"].items():
        text = text.replace("${" + name + "}", value)
    return text


def resolve(name: str = "zoho", root: Path = ROOT, **parameters: Any) -> Resolved:
    """The expanded template as a stack of this name; parameters that are not given have their defaults."""
    template = expanded(root)
    resolver = _Resolver(template, name, parameters)
    resources = {
        logical_id: resolver.value(resource)
        for logical_id, resource in template["Resources"].items()
        if "Condition" not in resource or resolver.condition(resource["Condition"])
    }
    outputs = {key: resolver.value(output["Value"]) for key, output in template["Outputs"].items()}
    references = {key: resolver.value({"Ref": key}) for key in [*template["Parameters"], *resources]}
    arns = {
        key: resolver.value({"Fn::GetAtt": [key, "Arn"]})
        for key, resource in resources.items()
        if "Arn" in _IDENTITIES.get(resource["Type"], {})
    }
    return Resolved(root, name, resources, outputs, references, arns)


class _Resolver:
    """The intrinsic functions that the template uses; any other one is a KeyError or stays visible."""

    def __init__(self, template: dict[str, Any], stack_name: str, parameters: dict[str, Any]) -> None:
        unknown = parameters.keys() - template["Parameters"].keys()
        if unknown:
            raise KeyError(f"no parameters of the template: {sorted(unknown)}")
        self._resources = template["Resources"]
        self._conditions = template["Conditions"]
        self._stack_name = stack_name
        self._references = {key: str(value["Default"]) for key, value in template["Parameters"].items()} | {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": stack_name,
            **{key: str(value) for key, value in parameters.items()},
        }

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for item in node if (value := self.value(item)) is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        function, argument = next(iter(node.items())) if len(node) == 1 else ("", None)
        match function:
            case "Ref":
                return self._reference(argument)
            case "Fn::GetAtt":
                return self._identity(*argument)
            case "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", self._substitute, argument)
            case "Fn::If":
                return self.value(argument[1] if self.condition(argument[0]) else argument[2])
            case "Fn::Join":
                return argument[0].join(self.value(argument[1]))
        return {key: value for key, item in node.items() if (value := self.value(item)) is not _NO_VALUE}

    def condition(self, condition: Any) -> bool:
        if isinstance(condition, str):
            condition = self._conditions[condition]
        ((function, argument),) = condition.items()
        if function == "Fn::Not":
            return not self.condition(argument[0])
        assert function == "Fn::Equals", function
        left, right = self.value(argument)
        return str(left) == str(right)

    def _reference(self, name: str) -> Any:
        return self._references[name] if name in self._references else self._identity(name, "Ref")

    def _identity(self, logical_id: str, attribute: str) -> str:
        resource = self._resources[logical_id]
        if attribute not in _IDENTITIES.get(resource["Type"], {}) and attribute == "Ref":
            return f"{self._stack_name}-{logical_id}"
        properties = resource.get("Properties", {})
        given = properties.get("Name") or properties.get("StateMachineName")
        name = self.value(given) if given else f"{self._stack_name}-{logical_id}"
        return _IDENTITIES[resource["Type"]][attribute].format(name)

    def _substitute(self, match: re.Match[str]) -> str:
        if match[1].startswith("!"):
            return "${" + match[1][1:] + "}"
        resource, _, attribute = match[1].partition(".")
        return self._identity(resource, attribute) if attribute else self._reference(resource)
