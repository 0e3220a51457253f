"""The CRM side: .../actions/mass_change_owner of API versions 4 to 8."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from local.wire.message import JSON_TYPE, Request, Response

from .clock import iso_time
from .jobs import FIRST_JOB_ID, Job
from .oauth import Token, TokenIssuer
from .settings import Settings

_PATH = re.compile(r"/crm/v[4-8]/(?P<module>[^/]+)/actions/mass_change_owner")
_JOB_ID = re.compile(r"[0-9]{1,19}")
_DAY = 86_400


class CrmError(Exception):
    """An error response of the CRM API."""

    def __init__(
        self, status: int, code: str, message: str, details: dict[str, Any] | None = None, *headers: tuple[str, str]
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.details, self.headers = status, code, message, details or {}, headers

    def response(self, envelope: str) -> Response:
        error = {"code": self.code, "details": self.details, "message": self.message, "status": "error"}
        if envelope == "data":
            return Response.json(200, {"data": [error]}, *self.headers)
        if envelope == "short":
            error = {"code": self.code, "message": self.message}
        return Response.json(self.status, error, *self.headers)


@dataclass
class Credits:
    """The API credits of one day, which begins with the first request and ends 24 hours later."""

    used: int = 0
    day_began_at: float | None = None

    def spend(self, now: float, daily: int) -> int | None:
        """Spend one credit and return how many remain, or None if none was left."""
        if self.day_began_at is None or now >= self.day_began_at + _DAY:
            self.used, self.day_began_at = 0, now
        if self.used >= daily:
            return None
        self.used += 1
        return daily - self.used


@dataclass
class Crm:
    """Jobs and credits of the one simulated organization."""

    issuer: TokenIssuer
    jobs: dict[str, Job] = field(default_factory=dict)
    credits: Credits = field(default_factory=Credits)

    def start_job(self, now: float, module: str, job_id: str | None = None, **plan: Any) -> Job:
        """Add a job. Raises ValueError or TypeError for an invalid plan."""
        if job_id is None:
            job_id = str(FIRST_JOB_ID + len(self.jobs))
        if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id) or job_id in self.jobs:
            raise ValueError("job_id must be a string of 1 to 19 digits that no other job has")
        job = self.jobs[job_id] = Job(job_id=job_id, module=module, created_at=now, **plan)
        return job

    def handle(self, request: Request, running: int, now: float, settings: Settings) -> Response:
        """Respond to one request; `running` counts the requests already in progress."""
        token: Token | None = None
        remaining: int | None = None
        try:
            module, operation = self._route(request, settings)
            token = self._authenticate(request, now, settings)
            remaining = self._within_limits(running, now, settings)
            response = operation(self, request, module, token, now, settings)
        except CrmError as error:
            response = error.response(settings.error_envelope)
        if remaining is not None and remaining <= settings.daily_credits / 2:
            response = response.with_headers(("X-API-CREDITS-REMAINING", str(remaining)))
        if token is not None:
            reset = iso_time(token.expires_at, settings.user_utc_offset_hours)
            response = response.with_headers(("X-ACCESSTOKEN-RESET", reset))
        return response.with_headers(("Content-Disposition", "attachment; filename=response.json"))

    def _route(self, request: Request, settings: Settings) -> tuple[str, Callable[..., Response]]:
        if settings.crm_hosts and urlsplit(f"//{request.header('host')}").hostname not in settings.crm_hosts:
            raise CrmError(400, "INVALID_HOST", "the host name given seems to be invalid")
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise CrmError(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
        operation = _OPERATIONS.get(request.method)
        if operation is None:
            raise CrmError(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
        return match["module"], operation

    def _authenticate(self, request: Request, now: float, settings: Settings) -> Token:
        scheme, value = request.authorization()
        if not value:
            raise CrmError(401, "AUTHENTICATION_FAILURE", "Authentication failed")
        # Bearer is reported to fail, regardless of the token_type in the token response.
        token = self.issuer.find(value, now) if scheme == "Zoho-oauthtoken" else None
        if token is None:
            raise CrmError(settings.invalid_token_status, settings.invalid_token_code, "invalid oauth token")
        return token

    def _within_limits(self, running: int, now: float, settings: Settings) -> int:
        if running < settings.concurrency:
            remaining = self.credits.spend(now, settings.daily_credits)
            if remaining is not None:
                return remaining
        raise too_many_requests(settings.retry_after, settings.rate_limit_status, settings.retry_after_in)

    def _check_module(self, module: str, token: Token, scope: str, settings: Settings) -> None:
        known = module in settings.modules
        if not token.allows(scope) or (not known and settings.unknown_module == "OAUTH_SCOPE_MISMATCH"):
            raise CrmError(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
        if not known:
            raise CrmError(
                400, "INVALID_MODULE", "the module name given seems to be invalid", {"resource_path_index": 0}
            )
        if module in settings.forbidden_modules:
            raise CrmError(403, "NO_PERMISSION", "permission denied", {"permissions": [f"Crm_Implied_View_{module}"]})

    def _status(self, request: Request, module: str, token: Token, now: float, settings: Settings) -> Response:
        self._check_module(module, token, f"ZohoCRM.change_owner.{settings.status_scope}", settings)
        job_id = request.parameter("job_id")
        if not job_id:
            raise CrmError(
                settings.missing_job_id_status,
                "REQUIRED_PARAM_MISSING",
                "One of the expected parameter is missing",
                {"param_name": "job_id"},
            )
        if not _JOB_ID.fullmatch(job_id):
            raise _malformed_job_id(settings)
        job = self.jobs.get(job_id)
        if job is None or now >= job.created_at + settings.retention_days * _DAY:
            return _no_data(settings)
        if job.module != module:
            return _other_module(settings)
        return Response.json(200, {"data": [_status_of(job, now, settings)]})

    def _start(self, request: Request, module: str, token: Token, now: float, settings: Settings) -> Response:
        self._check_module(module, token, "ZohoCRM.change_owner.CREATE", settings)
        _check_start_body(request.body)
        job = self.start_job(now, module, **settings.posted_job)
        success = {
            "code": "SUCCESS",
            "details": {"id": job.job_id, "job_id": job.job_id},
            "message": "owner is successfully updated",
            "status": "success",
        }
        return Response.json(settings.start_status, {"data": [success]})


_OPERATIONS: dict[str, Callable[..., Response]] = {"GET": Crm._status, "POST": Crm._start}


def too_many_requests(
    retry_after: int | None, status: int = 429, where: Literal["both", "header", "details"] = "both"
) -> CrmError:
    """The one response for exhausted credits and for exceeded concurrency; `where` it names the wait."""
    details = {} if retry_after is None or where == "header" else {"retry_after": retry_after}
    headers = [] if retry_after is None or where == "details" else [("Retry-After", str(retry_after))]
    message = "You have made too many requests. Please try again after some time."
    return CrmError(status, "TOO_MANY_REQUESTS", message, details, *headers)


def _malformed_job_id(settings: Settings) -> CrmError:
    if settings.malformed_job_id == "UNABLE_TO_PARSE_DATA_TYPE":
        message = "either the request body or parameters is in wrong format"
        return CrmError(400, "UNABLE_TO_PARSE_DATA_TYPE", message)
    return CrmError(400, "INVALID_DATA", "the job id given seems to be invalid", {"param_name": "job_id"})


def _no_data(settings: Settings) -> Response:
    if settings.no_data_body == "absent":
        # Recorded real 204 responses have a content type.
        return Response(204, headers=(("Content-Type", JSON_TYPE),))
    response = Response.json(204, {"code": "NO_DATA", "details": {}, "message": "no data found", "status": "error"})
    if settings.no_data_body == "unannounced":
        return response
    return response.with_headers(("Content-Length", str(len(response.body))))


def _other_module(settings: Settings) -> Response:
    error: dict[str, Any] = {"details": {}, "status": "error"}
    if settings.other_module_body == "null":
        error = {"code": None, "details": {}, "message": None, "status": "error"}
    elif settings.other_module_body == "full":
        error |= {"code": "INVALID_DATA", "message": "the job id given seems to be invalid"}
    return Response.json(404, error)


def _status_of(job: Job, now: float, settings: Settings) -> dict[str, Any]:
    progress = job.progress(now)
    if not job.shows_progress and progress.status in ("SCHEDULED", "RUNNING"):
        return {"Status": settings.status_words.get("SCHEDULED", "SCHEDULED")}
    status = {
        "Total_Count": progress.total,
        "Updated_Count": progress.updated,
        "Not_Updated_Count": progress.not_updated,
        "Failed_Count": progress.failed,
        "Status": settings.status_words.get(progress.status, progress.status),
    }
    return {key: value for key, value in status.items() if key not in settings.omitted_keys}


def _check_start_body(body: bytes) -> None:
    """Check that cvid and owner.id are present, and that cvid is a string of digits."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise CrmError(400, "INVALID_DATA", "invalid data", {"expected_data_type": "jsonobject"})
    owner = content.get("owner")
    for name, kind, value in (
        ("cvid", "bigint", content.get("cvid")),
        ("owner", "jsonobject", owner),
        ("id", "bigint", owner.get("id") if isinstance(owner, dict) else None),
    ):
        if value is None:
            raise CrmError(
                400,
                "MANDATORY_NOT_FOUND",
                "required field not found",
                {"api_name": name, "expected_data_type": kind},
            )
    if not _JOB_ID.fullmatch(str(content["cvid"])):
        raise CrmError(400, "INVALID_DATA", "the cvid given seems to be invalid", {"api_name": "cvid"})
