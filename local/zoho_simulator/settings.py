"""What can be switched. Every default is what Zoho documents, or else what was seen live."""

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
    """One immutable set of switches; `changed` makes the next one."""

    # Modules and permissions
    custom_modules: tuple[str, ...] = ("CustomModule1", "zohosign__ZohoSign_Documents", "Appointments__s")
    forbidden_modules: tuple[str, ...] = ()
    """Modules whose jobs the user may not read: 403 NO_PERMISSION."""
    unknown_module: Literal["INVALID_MODULE", "OAUTH_SCOPE_MISMATCH"] = "INVALID_MODULE"

    # The status endpoint where sources disagree
    missing_job_id_status: Literal[404, 400] = 404
    malformed_job_id: Literal["INVALID_DATA", "UNABLE_TO_PARSE_DATA_TYPE"] = "INVALID_DATA"
    other_module_body: Literal["null", "absent", "full"] = "null"
    """Code and message of the 404 for a live job of another module."""
    no_data_body: bool = False
    """Send a NO_DATA body with the 204, as the newest specification has it."""
    start_status: Literal[202, 200] = 202
    invalid_token_code: Literal["INVALID_TOKEN", "INVALID_OAUTHTOKEN"] = "INVALID_TOKEN"
    invalid_token_status: Literal[401, 200] = 401
    error_envelope: Literal["plain", "data", "short"] = "plain"
    """plain: the documented four keys; data: the same in data[0] with HTTP 200; short: code and message alone."""
    status_words: dict[str, str] = field(default_factory=dict)
    """Other spellings of status words, for example {"RUNNING": "in progress"}."""
    omitted_keys: tuple[str, ...] = ()
    """Keys to leave out of the status, for example ("Failed_Count",)."""
    retention_days: float = 60
    posted_job: dict[str, Any] = field(default_factory=dict)
    """What a job started over the CRM API is like: the arguments of start_job."""

    # Limits
    concurrency: int = 20
    """Calls at a time per org and app: 20 in Enterprise, the lowest edition that has this job."""
    daily_credits: int = 50_000
    retry_after: int | None = None
    """Seconds to name in a 429: as the header Retry-After and as details.retry_after."""
    latency_seconds: float = 0.0
    """Real seconds every CRM and accounts response takes."""

    # OAuth
    token_limit: int = 10
    token_window_seconds: float = 600
    live_tokens: int = 15
    token_life_seconds: int = 3600
    oauth_error_status: Literal[200, 400, 401] = 200
    legacy_expires_in: bool = False
    """The older shape: expires_in_sec in seconds, expires_in in milliseconds."""
    scope_in_token_reply: bool = False
    token_api_domain: str | None = None
    """api_domain of the token reply: None is the simulator's own address, "" leaves the key out."""
    client_credentials_path: Literal["/oauth/v2/token", "/oauth/v2/auth"] = "/oauth/v2/token"
    user_utc_offset_hours: float = 5.5

    def __post_init__(self) -> None:
        # Refuses an impossible posted_job here and not at the next POST.
        Job(job_id="", module="", created_at=0, **self.posted_job)

    @property
    def modules(self) -> frozenset[str]:
        return STANDARD_MODULES.union(self.custom_modules)

    def changed(self, **changes: Any) -> Settings:
        """The same settings with some changed; ValueError for a name or value that does not exist."""
        hints = get_type_hints(type(self))
        # JSON has no tuples.
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
        }
        for name, value in values.items():
            if name not in hints:
                raise ValueError(f"no setting is called {name}")
            if not _fits(value, hints[name]):
                raise ValueError(f"{name} cannot be {value!r}, it is {_described(hints[name])}")
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
