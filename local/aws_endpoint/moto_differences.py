"""What moto lacks or does differently from AWS.

* AWS writes a task's parameters and results in PascalCase, whatever the service itself does. moto passes them on as
  they are, so that integrations with services in camelCase (Step Functions' own) and streamed bodies (S3's) fail.
* AWS runs each execution with the role of its state machine. moto uses one identity for everything; here, each task
  presents the name of the role as its access key, by which the gateway recognizes it.
* AWS rejects the name of an execution that has spaces or special characters. moto takes it.
* AWS writes result files. moto writes a manifest without files. It also knows no JSON Lines, which a definition of the
  previous release can read; no list here has that form.
* moto waits in real time between retries. Here, that takes a tenth.
* An update of a schedule replaces everything. moto keeps what happens after its end.
* AWS expands a serverless template. moto only keeps it: `local.deployment` makes the resources. It also forgets the
  outputs of a stack that a change set creates.
* moto parses definitions and paths at each use, makes a key for each subscriber, and lists its own folders for each
  request. Here, it does all of this once.

This code runs in moto's process, where the project is not importable: it imports only moto and what moto needs.
"""

from __future__ import annotations

import json
import re
import sys
import time
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.model import OperationModel
from botocore.response import StreamingBody
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.scheduler.responses import EventBridgeSchedulerResponse
from moto.settings import moto_server_port
from moto.stepfunctions.exceptions import InvalidName, NameTooLongException
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.reader_config import input_type
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval import resource_eval_s3
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import boto_client, json_path
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

# How many times faster than on AWS the waits pass that no state of the machine asks for.
_SPEED = 10


def complete(speed: float) -> None:
    """Apply everything above to moto, whose state machines then wait `speed` times less long."""
    for integration in (StateTaskServiceAwsSdk, StateTaskServiceSfn):
        integration._normalise_parameters = _with_request_case(integration._normalise_parameters)
        integration._normalise_response = _normalise_response
    _check_names()
    _use_roles()
    _accept_json_lines()
    _write_results()
    _update_all_of_a_schedule()
    parse = AmazonStateLanguageParser.parse = cache(AmazonStateLanguageParser.parse)
    ExecutionWorker._get_evaluation_entrypoint = lambda self: Preprocessor().visit(
        parse(self._evaluation_details.state_machine_details.definition)[1]
    )
    json_path.parse = cache(json_path.parse)
    rsa.generate_private_key = cache(rsa.generate_private_key)
    DomainDispatcherApplication.get_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)
    retrier_decl.time = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / _SPEED / speed))
    wait = WaitFunction._wait_interval
    WaitFunction._wait_interval = lambda self, env, wait_seconds: wait(self, env, wait_seconds / speed)


# ---- upper and lower case ---------------------------------------------------------------------------------------


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
        if name not in ("input", "output"):  # which hold documents of the caller's own
            for nested in value if isinstance(value, list) else [value]:
                _normalise_response(task, nested)
        response[name[0].upper() + name[1:]] = value


def _operation(task: StateTaskService, service: str | None = None, action: str | None = None) -> OperationModel:
    model = _service_model(task._get_boto_service_name(service))
    wanted = task._get_boto_service_action(action).replace("_", "")
    return next(model.operation_model(name) for name in model.operation_names if name.lower() == wanted)


@cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


# ---- names ------------------------------------------------------------------------------------------------------


def _check_names() -> None:
    start = StepFunctionsParserBackend.start_execution

    def start_execution(self: Any, state_machine_arn: str, name: str | None = None, *rest: Any) -> Any:
        if name and len(name) > 80:
            raise NameTooLongException(name)
        if name and re.search(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]", name):
            raise InvalidName(f"Invalid Name: '{name}'")
        return start(self, state_machine_arn, name, *rest)

    StepFunctionsParserBackend.start_execution = start_execution


# ---- roles ------------------------------------------------------------------------------------------------------


def _use_roles() -> None:
    original = boto_client.boto_client_for
    for module in list(sys.modules.values()):
        if getattr(module, "boto_client_for", None) is original:
            module.boto_client_for = _client


def _client(region: str, service: str, state_credentials: Any = None) -> Any:
    role = state_credentials.role_arn.rsplit("/", 1)[-1] if state_credentials else "none"
    return _client_of(role, region, service)


@cache
def _client_of(role: str, region: str, service: str) -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=f"http://localhost:{moto_server_port()}",
        aws_access_key_id=role,
        aws_secret_access_key="secret",
        config=Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            read_timeout=120,
            max_pool_connections=100,
        ),
    )


# ---- lists in S3 ------------------------------------------------------------------------------------------------


def _accept_json_lines() -> None:
    known_types = input_type.InputTypeValue
    input_type.InputTypeValue = lambda name: known_types(name.removesuffix("L"))


def _write_results() -> None:
    worker = distributed_item_processor_worker.DistributedItemProcessorWorker
    evaluate, write = worker._eval_job, resource_eval_s3.ResourceEvalS3._handle_put_object

    def eval_job(self: Any, env: Any, job: Any) -> None:
        evaluate(self, env, job)
        state = env.program_state()
        result = {"Input": json.dumps(job.job_input)}
        if isinstance(state, ProgramError):
            error = state.error or {}
            result |= {"Status": "FAILED", "Error": error.get("error"), "Cause": error.get("cause")}
        else:
            result |= {"Status": "SUCCEEDED", "Output": json.dumps(job.job_output)}
        results = self._map_run_record.__dict__.setdefault("results", [])
        results.append(result)

    def put_object(env: Any, resource_runtime_part: Any, state_credentials: Any) -> None:
        record = env.map_run_record_pool_manager.get_all()[-1]
        write(env, resource_runtime_part, state_credentials)
        where = env.stack[-1]["ResultWriterDetails"]
        client = resource_eval_s3.ResourceEvalS3._get_s3_client(resource_runtime_part, state_credentials)
        folder = where["Key"].rsplit("/", 1)[0]
        manifest = {"DestinationBucket": where["Bucket"], "MapRunArn": record.map_run_arn, "ResultFiles": {}}
        for status in ("FAILED", "PENDING", "SUCCEEDED"):
            chosen = [result for result in record.__dict__.get("results", []) if result["Status"] == status]
            manifest["ResultFiles"][status] = []
            if chosen:
                body, key = json.dumps(chosen), f"{folder}/{status}_0.json"
                client.put_object(Bucket=where["Bucket"], Key=key, Body=body)
                manifest["ResultFiles"][status].append({"Key": key, "Size": len(body)})
        client.put_object(Bucket=where["Bucket"], Key=where["Key"], Body=json.dumps(manifest))

    worker._eval_job = eval_job
    resource_eval_s3.ResourceEvalS3._handle_put_object = staticmethod(put_object)


# ---- schedules --------------------------------------------------------------------------------------------------


def _update_all_of_a_schedule() -> None:
    update = EventBridgeSchedulerResponse.update_schedule

    def update_schedule(self: Any) -> str:
        answer = update(self)
        name = self.uri.split("?")[0].split("/")[-1]
        schedule = self.scheduler_backend.get_schedule(self._get_param("GroupName"), name)
        schedule.state = self._get_param("State") or "ENABLED"
        schedule.action_after_completion = self._get_param("ActionAfterCompletion") or "NONE"
        return answer

    EventBridgeSchedulerResponse.update_schedule = update_schedule


# ---- stacks -----------------------------------------------------------------------------------------------------


def deploy_serverless_templates() -> None:
    """For the first request to CloudFormation, whose code loads that of every other service."""
    from moto.cloudformation.models import ChangeSet, CloudFormationBackend

    parse, execute = ChangeSet._parse_template, CloudFormationBackend.execute_change_set

    def parse_template(self: Any) -> None:
        parse(self)
        if any("::Serverless::" in resource["Type"] for resource in self.template_dict["Resources"].values()):
            self.template_dict |= {"Resources": {}, "Outputs": {}}

    def execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
        execute(self, change_set_name, stack_name)
        change_set = self.describe_change_set(change_set_name)
        stack = self.stacks[change_set.stack_id]
        stack.template_dict = change_set.template_dict
        stack.output_map = stack._create_output_map()

    ChangeSet._parse_template, CloudFormationBackend.execute_change_set = parse_template, execute_change_set
