#!/usr/bin/env python3
"""A Lambda function that follows a script, for behavior that the real function never shows.

Each invocation takes one step: the next one of SCRIPT (a JSON list, whose last step repeats), or without SCRIPT the
payload itself. The keys of a step are `sleep` (seconds), `exit` (status), `error` (a type, or a type and a message),
and `report` (the response). PAYLOADS names a file to which all processes append their payloads. A payload with
`failure` takes no step: the response is COMPOSE (a step in JSON), or a `WATCH_FAILED` report for a state machine.
"""

import fcntl
import http.client
import json
import os
import sys
import time
from pathlib import Path

RUNTIME = "/2018-06-01/runtime/"


def main() -> None:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def request(method: str, path: str, document: object = None) -> tuple[http.client.HTTPMessage, bytes]:
        body = None if document is None else json.dumps(document, separators=(",", ":"))
        connection.request(method, RUNTIME + path, body)
        response = connection.getresponse()
        return response.headers, response.read()

    print("ready", flush=True)

    while True:
        headers, body = request("GET", "invocation/next")
        payload = json.loads(body)
        print(json.dumps({"message": "received", "payload": payload}), file=sys.stderr, flush=True)
        step = next_step(payload) if "SCRIPT" in os.environ else payload
        if "exit" in step:
            sys.exit(step["exit"])
        time.sleep(step.get("sleep", 0))
        invocation = f"invocation/{headers['Lambda-Runtime-Aws-Request-Id']}"
        if "error" in step:
            error_type, message = step["error"] if isinstance(step["error"], list) else (step["error"], "as scripted")
            request("POST", f"{invocation}/error", {"errorType": error_type, "errorMessage": message})
        else:
            request("POST", f"{invocation}/response", step.get("report"))


def next_step(payload: dict) -> dict:
    """The step of SCRIPT for this invocation, of all processes."""
    script, compose = json.loads(os.environ["SCRIPT"]), json.loads(os.environ.get("COMPOSE", "null"))
    with Path(os.environ["PAYLOADS"]).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        done = sum("failure" not in json.loads(line) for line in file)
        file.write(json.dumps(payload) + "\n")
    if "failure" in payload:
        return compose or {"report": describe(payload)}
    return script[min(done, len(script) - 1)]


def describe(payload: dict) -> dict:
    """The report of a failure, as the function writes it."""
    failure, request = payload["failure"], payload["request"]
    request = request if isinstance(request, dict) else {}
    report = {
        "module": request.get("module"),
        "job_id": request.get("job_id"),
        "outcome": "WATCH_FAILED",
        "finished": False,
        "checks": request.get("checks", 0) + 1,
        "next_check_seconds": None,
        "error": {"type": failure["Error"], "message": failure.get("Cause", "")},
    }
    attributes = {"outcome": {"DataType": "String", "StringValue": "WATCH_FAILED"}}
    message = json.dumps({"default": json.dumps(report)})
    return {**report, "announcement": {"subject": "failed", "message": message, "attributes": attributes}}


main()
