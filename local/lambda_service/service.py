"""The Lambda service: the `Invoke` operation for all functions."""

from __future__ import annotations

import uuid

from aiohttp import web

from local.aws_endpoint.gateway import error_response
from local.aws_endpoint.moto_process import ACCOUNT_ID, REGION
from local.lambda_service.function import THROTTLED, Function


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
        headers = {"x-amzn-RequestId": str(uuid.uuid4()), "X-Amz-Executed-Version": "$LATEST"}
        if request.headers.get("X-Amz-Invocation-Type") == "Event":
            headers["x-amzn-RequestId"] = function.start_event(payload).request_id
            return web.Response(status=202, headers=headers)
        result = await function.run(payload, headers["x-amzn-RequestId"])
        if result is THROTTLED:
            return error_response("lambda", 429, "TooManyRequestsException", "Rate Exceeded.")
        if not result.ok:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return web.Response(status=200, headers=headers, body=result.body, content_type="application/json")
