"""Reports for scripts of a scripted function."""

from __future__ import annotations

import json
from typing import Any

JOB_ID = "3652397000009565021"


def report(**changes: Any) -> dict[str, Any]:
    """What the function returns for an unfinished job."""
    return {
        "module": "Leads",
        "job_id": JOB_ID,
        "status": "RUNNING",
        "finished": False,
        "outcome": None,
        "total_count": 100,
        "updated_count": 10,
        "not_updated_count": 90,
        "failed_count": 0,
        "progress_percent": 10,
        "checks": 1,
        "first_checked_at": "2026-11-23T10:00:00Z",
        "checked_at": "2026-11-23T10:00:00Z",
        "next_check_seconds": 1,
        "announcement": None,
        **changes,
    }


def noticed_report(**changes: Any) -> dict[str, Any]:
    """What the function returns for an unfinished job of which the topic is to hear."""
    attributes = {"notice": {"DataType": "String", "StringValue": "STILL_RUNNING"}}
    message = json.dumps({"default": json.dumps(report(**changes))})
    return report(notice={"subject": "STILL_RUNNING", "message": message, "attributes": attributes}, **changes)


def final_report(outcome: str = "SUCCEEDED", **changes: Any) -> dict[str, Any]:
    """What the function returns at the end of a watch."""
    plain = {**report(outcome=outcome, next_check_seconds=None), **changes}
    del plain["announcement"]
    attributes = {"outcome": {"DataType": "String", "StringValue": outcome}}
    message = json.dumps({"default": json.dumps(plain)})
    return {**plain, "announcement": {"subject": outcome, "message": message, "attributes": attributes}}


def failed_report(error_type: str, message: str = "none") -> dict[str, Any]:
    """What the function returns for an error that is not retryable."""
    return final_report("WATCH_FAILED", error={"type": error_type, "message": message}, status=None)
