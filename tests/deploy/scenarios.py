"""What can happen to a watch, as tables: for each way to its end, what the function returns and what must follow.

Two interpreters run them: moto's, and an independent one (test_second_interpreter.py).
"""

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
COMPOSE = ["Read input", "Check status", "Compose failure", "Finished?"]
NOT_UNDERSTOOD = [*BEGIN, "Report not understood", "Compose failure", "Finished?"]
FIXED = ["Use fixed announcement", "Finished?"]
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


SURPRISE = {"error": ["Surprise", 'a "quoted" {} message é']}
SCENARIOS = [
    Scenario(
        "succeeds at the third check",
        ({"report": report()}, {"report": report(checks=2)}, ends("SUCCEEDED")),
        [*BEGIN, *LAP, *LAP, *ANNOUNCE, COMPLETED],
        announced="SUCCEEDED",
    ),
    Scenario(
        "succeeds in part",
        (ends("PARTIALLY_SUCCEEDED"),),
        [*BEGIN, *ANNOUNCE, COMPLETED],
        announced="PARTIALLY_SUCCEEDED",
    ),
    Scenario("fails", (ends("FAILED"),), [*BEGIN, *ANNOUNCE, BAD_JOB], "FAILED", "FAILED"),
    Scenario(
        "times out", (ends("WATCH_TIMED_OUT"),), [*BEGIN, *ANNOUNCE, BAD_JOB], "WATCH_TIMED_OUT", "WATCH_TIMED_OUT"
    ),
    Scenario(
        "an error that is not retryable, described by the function",
        ({"report": failed_report("JobNotFound")},),
        [*BEGIN, *ANNOUNCE, FAILED_WATCH],
        "JobNotFound",
        "WATCH_FAILED",
    ),
    Scenario(
        "an error that no retrier names",
        (SURPRISE,),
        [*COMPOSE, *ANNOUNCE, FAILED_WATCH],
        "Surprise",
        "WATCH_FAILED",
    ),
    Scenario(
        "an error after a report",
        ({"report": report(checks=5)}, SURPRISE),
        [*BEGIN, *LAP[:2], *COMPOSE[2:], *ANNOUNCE, FAILED_WATCH],
        "Surprise",
        "WATCH_FAILED",
    ),
    *(
        Scenario(
            f"a response that is not a report: {name}",
            ({"report": response},),
            [*NOT_UNDERSTOOD, *ANNOUNCE, FAILED_WATCH],
            "ReportNotUnderstood",
            "WATCH_FAILED",
        )
        for name, response in {
            "text": "hello",
            "null": None,
            "an array": [1],
            "no time for the next check": report(next_check_seconds=None),
            "a time in words": report(next_check_seconds="soon"),
            "an end without an announcement": report(outcome="SUCCEEDED"),
        }.items()
    ),
    Scenario(
        "a function that cannot even describe its failure",
        (SURPRISE,),
        [*COMPOSE[:3], *FIXED, *ANNOUNCE, FAILED_WATCH],
        "Surprise",
        "WATCH_FAILED",
        compose={"error": ["Worse", "still"]},
    ),
    Scenario(
        "a function that describes nothing",
        ({"report": "hello"},),
        [*NOT_UNDERSTOOD, *FIXED, *ANNOUNCE, FAILED_WATCH],
        "ReportNotUnderstood",
        "WATCH_FAILED",
        compose={"report": "hello"},
    ),
    Scenario(
        "the caller wants no announcement",
        ({"report": report()}, ends("SUCCEEDED")),
        [*BEGIN, *LAP, "How did it end?", COMPLETED],
        request=QUIET,
    ),
    Scenario(
        "the caller wants no announcement of a failure",
        (SURPRISE,),
        [*COMPOSE, "How did it end?", FAILED_WATCH],
        "Surprise",
        request=QUIET,
        compose={"report": failed_report("Surprise")},
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
            ("SUCCEEDED", "Notification failed", "NotificationFailed"),
            ("PARTIALLY_SUCCEEDED", "Notification failed", "NotificationFailed"),
            ("FAILED", BAD_JOB, "FAILED"),
        ]
    ),
    Scenario(
        "a fixed announcement that SNS rejects",
        (SURPRISE,),
        [*COMPOSE[:3], *FIXED, *UNDELIVERED, FAILED_WATCH],
        "Surprise",
        compose={"error": ["Worse", "still"]},
        sns_denies=True,
        dead_letters=1,
    ),
    Scenario(
        "an end that neither SNS nor SQS accepts",
        (ends("SUCCEEDED"),),
        [*BEGIN, *UNDELIVERED, "Notification failed"],
        "NotificationFailed",
        sns_denies=True,
        sqs_denies=True,
    ),
    *(
        Scenario(
            f"an input that is {name}",
            ({"report": failed_report("InvalidInput")},),
            [*BEGIN, *ANNOUNCE, FAILED_WATCH],
            "InvalidInput",
            "WATCH_FAILED",
            request=request,
        )
        for name, request in {"an array": [REQUEST], "text": "Leads", "null": None, "a number": 7}.items()
    ),
    Scenario(
        "an input that is an array, and an error",
        (SURPRISE,),
        [*COMPOSE, *ANNOUNCE, FAILED_WATCH],
        "Surprise",
        "WATCH_FAILED",
        request=[REQUEST],
    ),
    Scenario(
        "a job that is unfinished for long",
        ({"report": noticed_report()}, {"report": report()}, {"report": noticed_report()}, ends("SUCCEEDED")),
        [*BEGIN, *NOTICE, *LAP, *LAP, *NOTICE, *LAP, *ANNOUNCE, COMPLETED],
        announced="SUCCEEDED",
        notices=2,
    ),
    Scenario(
        "the caller wants no announcement of an unfinished job",
        ({"report": noticed_report()}, ends("SUCCEEDED")),
        [*BEGIN, *LAP, "How did it end?", COMPLETED],
        request=QUIET,
    ),
    Scenario(
        "a notice that SNS rejects",
        ({"report": noticed_report()}, ends("FAILED")),
        [*BEGIN, *NOTICE, *LAP, *UNDELIVERED, BAD_JOB],
        "FAILED",
        sns_denies=True,
        dead_letters=1,
    ),
    Scenario(
        "a notice at the check that uses up the history",
        ({"report": noticed_report(checks=1000)}, {"report": report(checks=1000)}),
        [*BEGIN, *NOTICE, "Continue in a new execution"],
        notices=1,
    ),
    Scenario(
        "a history that is used up",
        ({"report": report(checks=1000)},),
        [*BEGIN, "Continue in a new execution"],
    ),
    Scenario(
        "a successor below its own limit",
        ({"report": report(checks=1001)}, ends("SUCCEEDED")),
        [*BEGIN, *LAP, *ANNOUNCE, COMPLETED],
        announced="SUCCEEDED",
        request={**report(checks=1000), "continue_at_check": 2000},
    ),
    Scenario(
        "a successor at its own limit",
        ({"report": report(checks=2000)},),
        [*BEGIN, "Continue in a new execution"],
        request={**report(checks=1999), "continue_at_check": 2000},
    ),
]
