#!/usr/bin/env python3
"""A function that does what its payload says, to test the Lambda service with."""

import http.client
import json
import os
import sys
import time

RUNTIME = "/2018-06-01/runtime/"


def main() -> None:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method: str, path: str, document: object = None) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request(method, RUNTIME + path, None if document is None else json.dumps(document))
        answer = connection.getresponse()
        return answer, answer.read()

    if os.environ.get("INIT") == "error":
        call("POST", "init/error", {"errorType": "NotReady", "errorMessage": "not today"})
        sys.exit(1)
    if os.environ.get("INIT") == "exit":
        sys.exit(3)
    print("ready", flush=True)

    count = 0
    while True:
        answer, body = call("GET", "invocation/next")
        count += 1
        payload = json.loads(body)
        print(json.dumps({"message": "got", "payload": payload}), file=sys.stderr, flush=True)
        if "exit" in payload:
            sys.exit(payload["exit"])
        time.sleep(payload.get("sleep", 0))
        invocation = f"invocation/{answer.headers['Lambda-Runtime-Aws-Request-Id']}"
        if "error" in payload:
            call("POST", f"{invocation}/error", {"errorType": payload["error"], "errorMessage": "as asked"})
            continue
        context = {name: value for name, value in answer.headers.items() if name.startswith("Lambda-Runtime-")}
        reply = {"pid": os.getpid(), "count": count, "environment": dict(os.environ), "context": context}
        call("POST", f"{invocation}/response", reply)


main()
