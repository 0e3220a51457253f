"""The Lambda service: the `Invoke` operation for all functions."""

from __future__ import annotations

import json
import uuid

from aiohttp import web

from local.aws_endpoint.gateway import error_response
from local.aws_endpoint.moto_process import ACCOUNT_ID, REGION
from local.lambda_service.function import Function


class LambdaService:
    """Runs in the stack's event loop."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}

    async def stop(self) -> None:
        for function in self.functions.values():
            await function.shut_down()

    async def handle(self, request: web.BaseRequest, name: str, payload: bytes) -> web.Response:
        """Respond to one `Invoke` request."""
        function = self.functions.get(name)
        if function is None:
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
            return error_response("lambda", 404, "ResourceNotFoundException", f"Function not found: {arn}")
        payload = payload or b"{}"
        try:
            json.loads(payload)
        except RecursionError:
            pass  # nested more deeply than Python can check
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            return error_response("lambda", 400, "InvalidRequestContentException", message)
        headers = {"x-amzn-RequestId": str(uuid.uuid4()), "X-Amz-Executed-Version": "$LATEST"}
        if request.headers.get("X-Amz-Invocation-Type") == "Event":
            headers["x-amzn-RequestId"] = function.start_event(payload).request_id
            return web.Response(status=202, headers=headers)
        result = await function.run(payload, headers["x-amzn-RequestId"])
        if result is None:
            return error_response("lambda", 429, "TooManyRequestsException", "Rate Exceeded.")
        if result.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return web.Response(status=200, headers=headers, body=result.payload, content_type="application/json")
