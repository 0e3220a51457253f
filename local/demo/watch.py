"""The function alone: invoked with its own last report until the job has finished, and then the message from SNS."""

from __future__ import annotations

import json
import time

from local.demo.narrator import Narrator
from local.stack import Function, Stack, Topic
from local.zoho_simulator import REFRESH_TOKEN_SECRET

TOTAL, FAILING = 50_000, 500
QUEUE_SECONDS, RUN_SECONDS = 60, 540


def run(narrator: Narrator, stack: Stack, speed: float) -> bool:
    """Watch a job. Returns whether the outcome was right and the subscriber received the message."""
    job_id = _start_job(narrator, stack, speed)
    _create_secret(narrator, stack)
    topic = _create_topic(narrator, stack)
    with _deploy(narrator, stack, topic) as function:
        report = _watch(narrator, function, job_id)
        if report is None:
            return False
        received = _show_message(narrator, stack, topic)
        _show_statistics(narrator, stack, function)
    return report["outcome"] == "PARTIALLY_SUCCEEDED" and received


def _start_job(narrator: Narrator, stack: Stack, speed: float) -> str:
    minutes, seconds = (QUEUE_SECONDS + RUN_SECONDS) // 60, (QUEUE_SECONDS + RUN_SECONDS) / speed
    narrator.step(
        f"Start a job in the Zoho simulator that changes the owner of {TOTAL:,} Leads; {FAILING} of them will fail."
        f" It takes {minutes} minutes, which pass in {seconds:.0f} seconds on the simulator's clock."
    )
    stack.zoho.control.set_speed(speed)
    job_id = stack.zoho.control.start_job(
        module="Leads", total=TOTAL, failed=FAILING, queue_seconds=QUEUE_SECONDS, run_seconds=RUN_SECONDS
    )
    narrator.line(f"   job {job_id} at {stack.zoho.url}")
    return job_id


def _create_secret(narrator: Narrator, stack: Stack) -> None:
    narrator.step(
        "Store the Zoho credentials in Secrets Manager: a client and its refresh token. The function obtains access"
        " tokens with them."
    )
    stack.secret(REFRESH_TOKEN_SECRET, "zoho-credentials")
    narrator.line(f"   secret zoho-credentials: {', '.join(REFRESH_TOKEN_SECRET)}")


def _create_topic(narrator: Narrator, stack: Stack) -> Topic:
    narrator.step("Create an SNS topic for the notification, and an SQS queue that subscribes to it.")
    topic = stack.topic("zoho-status", "subscriber")
    narrator.line(f"   {topic.arn} → {topic.subscriber.arn}")
    return topic


def _deploy(narrator: Narrator, stack: Stack, topic: Topic) -> Function:
    narrator.step(
        "Deploy the function: the release binary, exactly as it runs on Lambda. It may check the job every second,"
        " because the simulator's clock is so fast."
    )
    env = {
        "ZOHO_SECRET_ID": "zoho-credentials",
        "STATUS_TOPIC_ARN": topic.arn,
        "ZOHO_API_DOMAIN": stack.zoho.url,
        "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
        "CHECK_INTERVAL_MIN_SECONDS": "1",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    function = stack.function("mass-change-owner-status", env=env)
    narrator.line("   " + "  ".join(f"{name}={value}" for name, value in env.items() if name.startswith("CHECK")))
    return function


def _watch(narrator: Narrator, function: Function, job_id: str) -> dict | None:
    """Invoke the function with its own report each time the next check is due, until the watch is over."""
    narrator.step(
        "Invoke the function with the module and the job ID. Each report has the time until the next check, and is"
        " itself the next request."
    )
    request = {"module": "Leads", "job_id": job_id, "notify": True}
    narrator.line(f"   {json.dumps(request)}")
    while True:
        invocation = function.invoke(request)
        if not invocation.ok:
            narrator.line(f"   {invocation.error_type}: {invocation.error_message}")
            return None
        report = invocation.payload
        narrator.line("   " + _summary(report))
        if report["next_check_seconds"] is None:
            return report
        _wait(narrator, report)
        request = {**report, "notify": True}


def _summary(report: dict) -> str:
    percent = report["progress_percent"]
    counts = f"{report['updated_count']:>6,} updated  {report['failed_count']:>3} failed"
    wait = report["next_check_seconds"]
    after = report["outcome"] if wait is None else f"next check in {wait} s"
    return f"check {report['checks']:>2}  {report['status']:<9} {percent:>3} %  {counts}  {after}"


def _wait(narrator: Narrator, report: dict) -> None:
    end = time.monotonic() + report["next_check_seconds"]
    while (left := end - time.monotonic()) > 0:
        narrator.progress(report["progress_percent"], f"of {report['total_count']:,}, next check in {left:.1f} s")
        time.sleep(min(left, 0.1))


def _show_message(narrator: Narrator, stack: Stack, topic: Topic) -> bool:
    narrator.step(
        "The job has finished, and the function has published the report. Receive the message from the queue."
    )
    bodies = topic.subscriber.drain()
    if len(bodies) != 1:
        narrator.line(f"   The queue has {len(bodies)} messages instead of one.")
        return False
    (body,) = bodies
    attributes = {name: attribute["Value"] for name, attribute in body["MessageAttributes"].items()}
    width = max(map(len, attributes))
    narrator.block("Subject", body["Subject"])
    narrator.block("Message", json.dumps(json.loads(body["Message"]), indent=2))
    narrator.block("Attributes (for filter policies)", "\n".join(f"{n:<{width}}  {v}" for n, v in attributes.items()))
    (publication,) = stack.published(topic.arn)
    narrator.block("Text for email subscribers", publication.texts["email"])
    narrator.block("Text for SMS subscribers", publication.texts["sms"])
    return True


def _show_statistics(narrator: Narrator, stack: Stack, function: Function) -> None:
    stats = stack.zoho.control.stats(records=False)
    narrator.step("The requests and invocations of this watch:")
    narrator.line(
        f"   Zoho   {stats.requests.get('crm', 0)} status requests, {stats.tokens_minted} access token minted"
    )
    narrator.line(f"   Lambda {function.invocations} invocations, {function.cold_starts} cold start")
