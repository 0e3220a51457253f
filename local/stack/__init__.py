"""AWS on this machine: moto behind one endpoint, a Lambda service that runs the real binary, and the Zoho simulator.

>>> with Stack() as stack:
...     function = stack.function("watch", env={"ZOHO_SECRET_ID": "zoho"})
...     function.invoke({"module": "Leads", "job_id": "3652397000009565021"}).payload
"""

from local.aws_endpoint.gateway import Call as Call, Fault as Fault
from local.aws_endpoint.publication import Publication as Publication
from local.lambda_service.environment import Invocation as Invocation
from local.lambda_service.function import EventInvocation as EventInvocation, Function as Function
from local.stack.queue import Queue as Queue, Topic as Topic
from local.stack.schedules import Firing as Firing
from local.stack.stack import QUICK_BINARY as QUICK_BINARY, RELEASE_BINARY as RELEASE_BINARY, Stack as Stack
