"""What can happen to a watch, as a table: for each way to its end, what the function returns and what must follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.deploy.reports import JOB_ID, failed_report, final_report, noticed_report, report

REQUEST = {"module": "Leads", "job_id": JOB_ID}
QUIET = {**REQUEST, "notify": False}

BEGIN = ["Read input", "Check status", "Finished?"]
LAP = ["Wait for next check", "Check status", "Finished?"]
NOTICE = ["Send notice", "Finished?"]
ANNOUNCE = ["Announce end", "How did it end?"]
UNDELIVERED = ["Announce end", "Send to dead-letter queue", "How did it end?"]
COMPOSE = ["Compose failure", "Finished?"]
NOT_UNDERSTOOD = ["Report not understood", *COMPOSE]
FIXED = ["Use fixed announcement", "Write fixed announcement", "Finished?"]
FAILED_WATCH, COMPLETED, BAD_JOB = "Watch failed", "Job completed", "Job failed or watch timed out"


@dataclass(frozen=True)
class Scenario:
    """What the function does (see scripted_function.py), what SNS and SQS do, and how the execution ends.

    `error` is None for an execution that succeeds. `announced` is the outcome in the attributes of the message.
    `notices` counts the messages about an unfinished job.
    """

    name: str
    script: tuple[dict[str, Any], ...]
    states: list[str]
    error: str | None = None
    announced: str | None = None
    notices: int = 0
    request: Any = field(default_factory=lambda: REQUEST)
    compose: dict[str, Any] | None = None
    sns_denies: bool = False
    sqs_denies: bool = False
    dead_letters: int = 0


def ends(outcome: str) -> dict[str, Any]:
    return {"report": final_report(outcome)}


# A report that goes on: the check failed, the watch does not.
GOES_ON = {"report": report(error={"type": "JobNotFound", "message": "none"})}
NO_STATUS = {"report": report(error={"type": "ZohoUnavailable", "message": "none"}, status=None)}
SURPRISE = {"error": ["Surprise", 'a "quoted" {} message é']}
SCENARIOS = [
    Scenario(
        "succeeds at the fourth check, whatever the checks before it reported",
        (NO_STATUS, {"report": report(checks=2)}, GOES_ON, ends("SUCCEEDED")),
        [*BEGIN, *LAP * 3, *ANNOUNCE, COMPLETED],
        announced="SUCCEEDED",
    ),
    Scenario(
        "succeeds in part", (ends("PARTIALLY_SUCCEEDED"),), [*BEGIN, *ANNOUNCE, COMPLETED], None, "PARTIALLY_SUCCEEDED"
    ),
    *(
        Scenario(f"ends with {end}", (ends(end),), [*BEGIN, *ANNOUNCE, BAD_JOB], end, end)
        for end in ("FAILED", "WATCH_TIMED_OUT")
    ),
    *(
        Scenario(
            name,
            ({"report": failed_report(error)},),
            [*BEGIN, *ANNOUNCE, FAILED_WATCH],
            error,
            "WATCH_FAILED",
            0,
            request,
        )
        for name, error, request in [
            ("a watch that never worked", "JobNotFound", REQUEST),
            ("an input that is an array", "InvalidInput", [REQUEST]),
            ("an input that is null", "InvalidInput", None),
        ]
    ),
    *(
        Scenario(
            f"a response that is not a report: {name}",
            ({"report": response},),
            [*BEGIN, *NOT_UNDERSTOOD, *ANNOUNCE, FAILED_WATCH],
            "ReportNotUnderstood",
            "WATCH_FAILED",
        )
        for name, response in {
            "text": "hello",
            "null": None,
            "no time for the next check": report(next_check_seconds=None),
            "a time in words": report(next_check_seconds="soon"),
            "an end without an announcement": report(outcome="SUCCEEDED", next_check_seconds=None),
        }.items()
    ),
    Scenario(
        "a function that cannot describe its failure",
        (SURPRISE,),
        [*BEGIN[:2], "Compose failure", *FIXED, *ANNOUNCE, FAILED_WATCH],
        "Surprise",
        "WATCH_FAILED",
        compose={"error": ["Worse", "still"]},
    ),
    Scenario(
        "a function that describes nothing",
        ({"report": "hello"},),
        [*BEGIN, *NOT_UNDERSTOOD, *FIXED, *ANNOUNCE, FAILED_WATCH],
        "ReportNotUnderstood",
        "WATCH_FAILED",
        compose={"report": "hello"},
    ),
    Scenario(
        "the caller wants to hear of neither the unfinished job nor its end",
        ({"report": noticed_report()}, ends("SUCCEEDED")),
        [*BEGIN, *LAP, "How did it end?", COMPLETED],
        request=QUIET,
    ),
    Scenario(
        "the caller wants no announcement of a failure",
        ({"report": "hello"},),
        [*BEGIN, *NOT_UNDERSTOOD, *FIXED, "How did it end?", FAILED_WATCH],
        "ReportNotUnderstood",
        request=QUIET,
        compose={"report": "hello"},
    ),
    *(
        Scenario(
            f"{outcome} that SNS rejects",
            (ends(outcome),),
            [*BEGIN, *UNDELIVERED, last],
            error,
            sns_denies=True,
            dead_letters=1,
        )
        for outcome, last, error in [
            ("PARTIALLY_SUCCEEDED", "Notification failed", "NotificationFailed"),
            ("FAILED", BAD_JOB, "FAILED"),
        ]
    ),
    Scenario(
        "an end that neither SNS nor SQS accepts",
        (ends("SUCCEEDED"),),
        [*BEGIN, *UNDELIVERED, "Notification failed"],
        "NotificationFailed",
        sns_denies=True,
        sqs_denies=True,
    ),
    Scenario(
        "a job that is unfinished for long",
        ({"report": noticed_report()}, {"report": report()}, {"report": noticed_report()}, ends("SUCCEEDED")),
        [*BEGIN, *NOTICE, *LAP, *LAP, *NOTICE, *LAP, *ANNOUNCE, COMPLETED],
        announced="SUCCEEDED",
        notices=2,
    ),
    Scenario(
        "a notice that SNS rejects",
        ({"report": noticed_report()}, ends("FAILED")),
        [*BEGIN, *NOTICE, *LAP, *UNDELIVERED, BAD_JOB],
        "FAILED",
        sns_denies=True,
        dead_letters=1,
    ),
]
