"""The settings. Every default follows Zoho's documentation, or a recorded response where it is silent."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from .jobs import Job

STANDARD_MODULES = (
    "Leads,Accounts,Contacts,Deals,Campaigns,Tasks,Cases,Events,Calls,Solutions,Products,Vendors,Price_Books,Quotes,"
    "Sales_Orders,Purchase_Orders,Invoices"
)


@dataclass(frozen=True)
class Settings:
    """An immutable set of values; `changed` returns a new one."""

    custom_modules: tuple[str, ...] = ("CustomModule1", "zohosign__ZohoSign_Documents", "Appointments__s")
    forbidden_modules: tuple[str, ...] = ()
    """Modules whose jobs the user may not read: 403 NO_PERMISSION."""
    retention_days: float = 60
    posted_job: dict[str, Any] = field(default_factory=dict)
    """The arguments of start_job for jobs that are started through the CRM API."""

    concurrency: int = 20
    """Concurrent requests per organization and app: 20 in Enterprise, the lowest edition with this job."""
    daily_credits: int = 50_000
    retry_after: int | None = None
    """The wait in seconds that TOO_MANY_REQUESTS names, in the Retry-After header and in details.retry_after."""
    latency_seconds: float = 0.0
    """The real time in seconds that each response takes."""

    token_limit: int = 10
    token_window_seconds: float = 600
    valid_tokens: int = 15
    token_life_seconds: int = 3600
    oauth_error_status: int = 200
    """The HTTP status of the accounts server's errors: 400 and 401 have been reported, too."""
    legacy_expires_in: bool = False
    """The older form: expires_in_sec in seconds, expires_in in milliseconds."""
    token_api_domain: str | None = None
    """The api_domain in the token response: None is the simulator's own address, "" omits the key."""

    def __post_init__(self) -> None:
        # Rejects an invalid posted_job here instead of at the next POST.
        Job(job_id="", module="", created_at=0, **self.posted_job)

    @property
    def modules(self) -> frozenset[str]:
        return frozenset(STANDARD_MODULES.split(",")).union(self.custom_modules)

    def changed(self, **changes: Any) -> Settings:
        """A new set with some values changed. Raises ValueError for an unknown name."""
        if unknown := changes.keys() - {setting.name for setting in fields(self)}:
            raise ValueError(f"there is no setting {', '.join(sorted(unknown))}")
        # JSON has no tuples.
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
        return replace(self, **values)
