#!/usr/bin/env python3
"""A Lambda function that does what it is told, for behavior that the real function never shows.

Each invocation takes one step: the next one of SCRIPT (a JSON list, whose last step repeats), or without SCRIPT the
payload itself. The keys of a step are `sleep` (seconds), `exit` (status), `error` (a type, or a type and a message),
and `report` (the response). Without the last three, the response describes the invocation. COUNT names a file that
counts the invocations across processes. INIT can be `error` or `exit`: how the initialization fails.
"""

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

    if os.environ.get("INIT") == "error":
        request("POST", "init/error", {"errorType": "NotReady", "errorMessage": "as scripted"})
        sys.exit(1)
    if os.environ.get("INIT") == "exit":
        sys.exit(3)
    print("ready", flush=True)

    invocations = 0
    while True:
        headers, body = request("GET", "invocation/next")
        invocations += 1
        payload = json.loads(body)
        print(json.dumps({"message": "received", "payload": payload}), file=sys.stderr, flush=True)
        step = next_step() if "SCRIPT" in os.environ else payload
        if "exit" in step:
            sys.exit(step["exit"])
        time.sleep(step.get("sleep", 0))
        invocation = f"invocation/{headers['Lambda-Runtime-Aws-Request-Id']}"
        if "error" in step:
            error_type, message = step["error"] if isinstance(step["error"], list) else (step["error"], "as scripted")
            request("POST", f"{invocation}/error", {"errorType": error_type, "errorMessage": message})
        else:
            context = {name: value for name, value in headers.items() if name.startswith("Lambda-Runtime-")}
            described = {"pid": os.getpid(), "count": invocations, "environment": dict(os.environ), "context": context}
            request("POST", f"{invocation}/response", step.get("report", described))


def next_step() -> dict:
    """The step of SCRIPT for this invocation, of all processes."""
    script, counter = json.loads(os.environ["SCRIPT"]), Path(os.environ["COUNT"])
    with counter.open("a+") as file:
        done = file.tell()
        file.write(".")
    return script[min(done, len(script) - 1)]


main()
