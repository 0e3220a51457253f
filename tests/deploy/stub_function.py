#!/usr/bin/env python3
"""A function that answers by a script: for what no fault of Zoho or AWS makes the real one do.

STUB_SCRIPT is a JSON list of steps, one for each invocation, the last one for all that follow:
{"report": ...}, {"error": [type, message]}, {"exit": status} or {"sleep": seconds, ...}. STUB_COUNT names a file
that counts the invocations across processes.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path

RUNTIME = "/2018-06-01/runtime/invocation/"


def main() -> None:
    script = json.loads(os.environ["STUB_SCRIPT"])
    counter = Path(os.environ["STUB_COUNT"])
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def post(path: str, document: object) -> None:
        connection.request("POST", RUNTIME + path, json.dumps(document, separators=(",", ":")))
        connection.getresponse().read()

    while True:
        connection.request("GET", RUNTIME + "next")
        answer = connection.getresponse()
        answer.read()
        done = len(counter.read_text()) if counter.exists() else 0
        with counter.open("a") as file:
            file.write(".")
        step = script[min(done, len(script) - 1)]
        if "exit" in step:
            sys.exit(step["exit"])
        time.sleep(step.get("sleep", 0))
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        if "error" in step:
            error_type, message = step["error"]
            post(f"{request_id}/error", {"errorType": error_type, "errorMessage": message})
        else:
            post(f"{request_id}/response", step.get("report"))


main()
