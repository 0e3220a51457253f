"""The settings. Every default follows Zoho's documentation, or a recorded response where it is silent."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Settings:
    """An immutable set of values; `changed` returns a new one."""

    concurrency: int = 20
    """Concurrent requests per organization and app: 20 in Enterprise, the lowest edition with this job."""
    daily_credits: int = 50_000
    token_life_seconds: int = 3600
    token_api_domain: str | None = None
    """The api_domain in the token response: None is the simulator's own address."""

    def changed(self, **changes: Any) -> Settings:
        """A new set with some values changed. Raises ValueError for an unknown name."""
        if unknown := changes.keys() - {setting.name for setting in fields(self)}:
            raise ValueError(f"there is no setting {', '.join(sorted(unknown))}")
        return replace(self, **changes)
