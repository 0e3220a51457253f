"""Nothing that the Runtime API and the environment say besides the payload fails an invocation or ends the process."""

from __future__ import annotations

import json

import pytest

CONTEXT = "Lambda-Runtime-Client-Context"
OBJECTS = {"custom": {"trace": {"id": "1"}, "attempt": 2, "tags": ["a"], "parent": None}, "client": {"version": 7}}


@pytest.mark.parametrize(
    "function",
    [
        {"headers": {CONTEXT: json.dumps(OBJECTS)}},
        {"headers": {CONTEXT: "not JSON"}},
        {"headers": {CONTEXT: '{"custom": {"a": "\u00e4\u20ac"}}'}},
        {"headers": {"Lambda-Runtime-Cognito-Identity": '["\u00e4"]'}},
        {"headers": {"Lambda-Runtime-Deadline-Ms": None}},
        {"headers": {"Lambda-Runtime-Deadline-Ms": "soon"}},
        {"headers": {"Lambda-Runtime-Deadline-Ms": "600000"}},
        {"headers": {"Lambda-Runtime-Trace-Id": "Root=\u00e4"}},
        {"headers": {"Lambda-Runtime-Trace-Id": None, "Lambda-Runtime-Invoked-Function-Arn": None}},
        {"without": ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION")},
        {"without": ("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "_HANDLER", "LAMBDA_TASK_ROOT")},
    ],
)
def test_the_check_works_and_so_does_the_next_one(make_scene, function):
    scene = make_scene(**function)
    scene.running_job()
    assert [scene.report()["status"] for _ in range(2)] == ["RUNNING", "RUNNING"]
    assert scene.fn.cold_starts == 1
