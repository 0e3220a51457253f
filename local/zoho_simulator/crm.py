"""The CRM side: .../actions/mass_change_owner of API versions 4 to 8."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .jobs import FIRST_JOB_ID, Job
from .oauth import Token, TokenIssuer
from .records import RequestRecord
from .settings import Settings

_STANDARD = (
    "Leads,Accounts,Contacts,Deals,Campaigns,Tasks,Cases,Events,Calls,Solutions,Products,Vendors,Price_Books,Quotes,"
    "Sales_Orders,Purchase_Orders,Invoices"
)
MODULES = {*_STANDARD.split(","), "CustomModule1", "zohosign__ZohoSign_Documents", "Appointments__s"}
_PATH = re.compile(r"/crm/v[4-8]/(?P<module>[^/]+)/actions/mass_change_owner")
_JOB_ID = re.compile(r"[0-9]{1,19}")
_DAY = 86_400
_RETENTION = 60 * _DAY
_HEADERS = {
    "Content-Type": "application/json;charset=utf-8",
    "Content-Disposition": "attachment; filename=response.json",
}


class CrmError(Exception):
    """An error response of the CRM API."""

    def __init__(self, status: int, code: str | None, message: str | None, **details: Any) -> None:
        super().__init__(code)
        self.status = status
        self.content = {"code": code, "details": details, "message": message, "status": "error"}


@dataclass
class Crm:
    """The jobs and the API credits of the one simulated organization."""

    issuer: TokenIssuer
    jobs: dict[str, Job] = field(default_factory=dict)
    credits_used: int = 0
    _day_began_at: float = 0

    def start_job(self, now: float, module: str, job_id: str | None = None, **plan: Any) -> Job:
        """Add a job. Raises ValueError or TypeError for an invalid plan."""
        if job_id is None:
            job_id = str(FIRST_JOB_ID + len(self.jobs))
        if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id) or job_id in self.jobs:
            raise ValueError("job_id must be a string of 1 to 19 digits that no other job has")
        job = self.jobs[job_id] = Job(job_id=job_id, module=module, created_at=now, **plan)
        return job

    def respond(self, request: RequestRecord, running: int, now: float, settings: Settings) -> web.Response:
        """Respond to one request; `running` counts the requests already in progress."""
        try:
            match = _PATH.fullmatch(request.path)
            if match is None:
                message = "Please check if the URL trying to access is a correct one"
                raise CrmError(404, "INVALID_URL_PATTERN", message)
            if request.method not in ("GET", "POST"):
                raise CrmError(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
            token = self._authenticate(request.scheme, request.token, now)
            self._spend_a_credit(running, now, settings)
            module = match["module"]
            if not token.allows(f"ZohoCRM.change_owner.{'CREATE' if request.method == 'POST' else 'READ'}"):
                raise CrmError(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
            if module not in MODULES:
                message = "the module name given seems to be invalid"
                raise CrmError(400, "INVALID_MODULE", message, resource_path_index=0)
            if request.method == "POST":
                status, content = 202, {"data": [self._start(module, now)]}
            elif (job := self._find(request.parameters().get("job_id"), module, now)) is None:
                return web.Response(status=204, headers=_HEADERS)
            else:
                status, content = 200, {"data": [job.status(now)]}
        except CrmError as error:
            status, content = error.status, error.content
        return web.Response(status=status, headers=_HEADERS, body=json.dumps(content, separators=(",", ":")).encode())

    def _authenticate(self, scheme: str, value: str, now: float) -> Token:
        if not value:
            raise CrmError(401, "AUTHENTICATION_FAILURE", "Authentication failed")
        # Bearer is reported to fail, regardless of the token_type in the token response.
        token = self.issuer.find(value, now) if scheme == "Zoho-oauthtoken" else None
        if token is None:
            raise CrmError(401, "INVALID_TOKEN", "invalid oauth token")
        return token

    def _spend_a_credit(self, running: int, now: float, settings: Settings) -> None:
        """Each request costs one; a day begins with its first request and ends 24 hours later."""
        if now >= self._day_began_at + _DAY:
            self.credits_used, self._day_began_at = 0, now
        if running >= settings.concurrency or self.credits_used >= settings.daily_credits:
            message = "You have made too many requests. Please try again after some time."
            raise CrmError(429, "TOO_MANY_REQUESTS", message)
        self.credits_used += 1

    def _find(self, job_id: str | None, module: str, now: float) -> Job | None:
        if not job_id:
            message = "One of the expected parameter is missing"
            raise CrmError(404, "REQUIRED_PARAM_MISSING", message, param_name="job_id")
        if not _JOB_ID.fullmatch(job_id):
            raise CrmError(400, "INVALID_DATA", "the job id given seems to be invalid", param_name="job_id")
        job = self.jobs.get(job_id)
        if job is None or now >= job.created_at + _RETENTION:
            return None
        if job.module != module:
            raise CrmError(404, None, None)
        return job

    def _start(self, module: str, now: float) -> dict[str, Any]:
        job = self.start_job(now, module)
        details = {"id": job.job_id, "job_id": job.job_id}
        return {"code": "SUCCESS", "details": details, "message": "owner is successfully updated", "status": "success"}
