"""What an operator does at a shell, with the AWS CLI at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.deployment import Deployment
from local.deployment.template import ROOT
from tests.deploy.scenarios import REQUEST


def as_operator(deployment: Deployment, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with the AWS CLI at hand, and CloudFormation knowing the outputs of the deployment."""
    deployment.machine("WatchManyStateMachine")
    cloudformation = deployment.stack.client("cloudformation")
    if deployment.name not in {stack["StackName"] for stack in cloudformation.list_stacks()["StackSummaries"]}:
        outputs = {name: {"Value": value} for name, value in deployment.template.outputs.items()}
        group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": deployment.name}}
        template = {"Resources": {"Something": group}, "Outputs": outputs}
        cloudformation.create_stack(StackName=deployment.name, TemplateBody=json.dumps(template))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**deployment.stack.client_variables, "PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def make(deployment: Deployment, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a make target against the deployment."""
    arguments = [f"{name}={value}" for name, value in {"STACK": deployment.name, **variables}.items()]
    return as_operator(deployment, ["make", "--silent", target, *arguments], ROOT)


def make_schedule(deployment: Deployment, **request: Any) -> Callable[[], dict[str, Any]]:
    """Make a schedule, and return what reads it."""
    scheduler, template = deployment.stack.client("scheduler"), deployment.template
    name = {"GroupName": template.properties("ScheduleGroup")["Name"], "Name": "a-watch"}
    target = {
        "Arn": deployment.function.arn,
        "RoleArn": template.arns["SchedulerRole"],
        "Input": json.dumps({**REQUEST, **request, "schedule_arn": "<aws.scheduler.schedule-arn>"}),
        "DeadLetterConfig": {"Arn": template.arns["DeadLetterQueue"]},
    }
    window = {"Mode": "OFF"}
    scheduler.create_schedule(**name, ScheduleExpression="rate(5 minutes)", FlexibleTimeWindow=window, Target=target)
    return lambda: scheduler.get_schedule(**name)
