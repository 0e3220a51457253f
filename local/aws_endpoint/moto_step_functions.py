"""What moto's Step Functions lack: the change of case between a task and the service that it calls.

On AWS, the parameters and results of a task are in PascalCase, regardless of the service. moto passes them on
unchanged, so that integrations with services in camelCase (Step Functions itself) and with streamed bodies (S3) fail.
This code runs in moto's process, where the project is not importable: it imports only moto and botocore.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel
from botocore.response import StreamingBody
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)


def complete() -> None:
    """Add the change of case to the integrations that need it."""
    for integration in (StateTaskServiceAwsSdk, StateTaskServiceSfn):
        before = integration._normalise_parameters
        integration._normalise_parameters = _with_request_case(before)
        integration._normalise_response = _normalise_response


def _with_request_case(before: Any) -> Any:
    def normalise(task: StateTaskService, parameters: dict, *names: str | None) -> None:
        before(task, parameters, *names)
        members = _operation(task, *names).input_shape.members
        known = {member.lower(): member for member in members}
        for given in list(parameters):
            parameters[known.get(given.lower(), given)] = parameters.pop(given)

    return normalise


def _normalise_response(
    task: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    for name in list(response) if isinstance(response, dict) else []:
        value = response.pop(name)
        if isinstance(value, StreamingBody):
            value = value.read().decode()
        response[name[0].upper() + name[1:]] = value


def _operation(task: StateTaskService, service: str | None = None, action: str | None = None) -> OperationModel:
    model = _service_model(task._get_boto_service_name(service))
    wanted = task._get_boto_service_action(action).replace("_", "")
    return next(model.operation_model(name) for name in model.operation_names if name.lower() == wanted)


@cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
