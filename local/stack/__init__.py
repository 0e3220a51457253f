"""AWS on this machine: moto behind one endpoint, and a Lambda service that runs the real binary.

>>> with Stack() as stack:
...     function = stack.function("watch", env={"ZOHO_SECRET_ID": "zoho"})
...     function.invoke({"module": "Leads", "job_id": "3652397000009565021"}).payload
"""

from local.stack.environment import Environment
from local.stack.function import EventInvocation, Function, Invocation
from local.stack.gateway import Call, Fault
from local.stack.publication import Publication
from local.stack.service import FunctionSettings
from local.stack.stack import RELEASE_BINARY, Stack

__all__ = [
    "RELEASE_BINARY",
    "Call",
    "Environment",
    "EventInvocation",
    "Fault",
    "Function",
    "FunctionSettings",
    "Invocation",
    "Publication",
    "Stack",
]
