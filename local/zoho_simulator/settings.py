"""The settings. Every default follows Zoho's documentation, or a recorded response where it is silent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .jobs import Job

STANDARD_MODULES = frozenset(
    {
        "Leads",
        "Accounts",
        "Contacts",
        "Deals",
        "Campaigns",
        "Tasks",
        "Cases",
        "Events",
        "Calls",
        "Solutions",
        "Products",
        "Vendors",
        "Price_Books",
        "Quotes",
        "Sales_Orders",
        "Purchase_Orders",
        "Invoices",
    }
)


@dataclass(frozen=True)
class Settings:
    """An immutable set of values; `changed` returns a new one."""

    # Modules and permissions
    crm_hosts: tuple[str, ...] = ()
    """Host names under which the CRM API accepts requests, others get 400 INVALID_HOST; empty accepts any."""
    custom_modules: tuple[str, ...] = ("CustomModule1", "zohosign__ZohoSign_Documents", "Appointments__s")
    forbidden_modules: tuple[str, ...] = ()
    """Modules whose jobs the user may not read: 403 NO_PERMISSION."""
    unknown_module: Literal["INVALID_MODULE", "OAUTH_SCOPE_MISMATCH"] = "INVALID_MODULE"
    status_scope: Literal["READ", "CREATE"] = "READ"
    """The ZohoCRM.change_owner scope that a status request needs: the documentation names both."""

    # The status endpoint, where sources disagree
    missing_job_id_status: Literal[404, 400] = 404
    malformed_job_id: Literal["INVALID_DATA", "UNABLE_TO_PARSE_DATA_TYPE"] = "INVALID_DATA"
    other_module_body: Literal["null", "absent", "full"] = "null"
    """The code and message of the 404 for an existing job of another module."""
    no_data_body: Literal["absent", "unannounced", "announced"] = "absent"
    """A NO_DATA body after the 204, as in the latest specification: without or with a Content-Length."""
    start_status: Literal[202, 200] = 202
    invalid_token_code: Literal["INVALID_TOKEN", "INVALID_OAUTHTOKEN"] = "INVALID_TOKEN"
    invalid_token_status: Literal[401, 200] = 401
    error_envelope: Literal["plain", "data", "short"] = "plain"
    """plain: the four documented keys; data: the same in data[0] with HTTP 200; short: only code and message."""
    status_words: dict[str, str] = field(default_factory=dict)
    """Other spellings of status values, for example {"RUNNING": "in progress"}."""
    omitted_keys: tuple[str, ...] = ()
    """Keys to omit from the status, for example ("Failed_Count",)."""
    retention_days: float = 60
    posted_job: dict[str, Any] = field(default_factory=dict)
    """The arguments of start_job for jobs that are started through the CRM API."""

    # Limits
    concurrency: int = 20
    """Concurrent requests per organization and app: 20 in Enterprise, the lowest edition with this job."""
    daily_credits: int = 50_000
    rate_limit_status: Literal[429, 400] = 429
    """The HTTP status of TOO_MANY_REQUESTS: 400 has been reported too."""
    retry_after: int | None = None
    """The wait in seconds that TOO_MANY_REQUESTS names."""
    retry_after_in: Literal["both", "header", "details"] = "both"
    """Where it names the wait: in the Retry-After header, in details.retry_after, or in both."""
    latency_seconds: float = 0.0
    """The real time in seconds that each CRM and accounts response takes."""

    # OAuth
    token_limit: int = 10
    token_window_seconds: float = 600
    valid_tokens: int = 15
    token_life_seconds: int = 3600
    oauth_error_status: Literal[200, 400, 401] = 200
    legacy_expires_in: bool = False
    """The older form: expires_in_sec in seconds, expires_in in milliseconds."""
    scope_in_token_response: bool = False
    token_api_domain: str | None = None
    """The api_domain in the token response: None is the simulator's own address, "" omits the key."""
    client_credentials_path: Literal["/oauth/v2/token", "/oauth/v2/auth"] = "/oauth/v2/token"
    user_utc_offset_hours: float = 5.5

    def __post_init__(self) -> None:
        # Rejects an invalid posted_job here instead of at the next POST.
        Job(job_id="", module="", created_at=0, **self.posted_job)

    @property
    def modules(self) -> frozenset[str]:
        return STANDARD_MODULES.union(self.custom_modules)

    def changed(self, **changes: Any) -> Settings:
        """A new set with some values changed. Raises ValueError for an unknown name or an invalid value."""
        hints = get_type_hints(type(self))
        # JSON has no tuples.
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
        }
        for name, value in values.items():
            if name not in hints:
                raise ValueError(f"there is no setting {name}")
            if not _fits(value, hints[name]):
                raise ValueError(f"{name} cannot be {value!r}: it must be {_described(hints[name])}")
        return replace(self, **values)


def _fits(value: Any, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind is Literal:
        return value in get_args(hint)
    if kind is UnionType:
        return any(_fits(value, each) for each in get_args(hint))
    return isinstance(value, (int, float) if kind is float else kind)


def _described(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    return getattr(hint, "__name__", str(hint))
