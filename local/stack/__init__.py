"""AWS on this machine: moto behind one endpoint, a Lambda service that runs the real binary, and the Zoho simulator.

>>> with Stack() as stack:
...     function = stack.function("watch", env={"ZOHO_SECRET_ID": "zoho"})
...     function.invoke({"module": "Leads", "job_id": "3652397000009565021"}).payload
"""

from local.aws_endpoint.gateway import Call, Fault
from local.aws_endpoint.publication import Publication
from local.lambda_service.environment import Invocation
from local.lambda_service.function import EventInvocation, Function
from local.stack.queue import Queue, Topic
from local.stack.schedules import Firing
from local.stack.stack import QUICK_BINARY, RELEASE_BINARY, Stack

__all__ = [
    "QUICK_BINARY",
    "RELEASE_BINARY",
    "Call",
    "EventInvocation",
    "Fault",
    "Firing",
    "Function",
    "Invocation",
    "Publication",
    "Queue",
    "Stack",
    "Topic",
]
