"""The function on its own: called, fed its own report back until the job has finished, then heard through SNS."""

from __future__ import annotations

import json
import time

from local.demo.narrator import Narrator
from local.stack import Function, Stack
from local.zoho_simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN

TOTAL, FAILING = 50_000, 500
QUEUE_SECONDS, RUN_SECONDS = 60, 540


def act(narrator: Narrator, stack: Stack, speed: float) -> bool:
    """Play it; true if the watch ended with the outcome that the job has, and the subscriber heard of it."""
    job_id = _start_job(narrator, stack, speed)
    _put_secret(narrator, stack)
    topic_arn, queue_url = _make_topic(narrator, stack)
    with _deploy(narrator, stack, topic_arn) as function:
        report = _watch(narrator, function, job_id)
        if report is None:
            return False
        heard = _show_message(narrator, stack, topic_arn, queue_url)
        _show_account(narrator, stack, function)
    return report["outcome"] == "PARTIALLY_SUCCEEDED" and heard


def _start_job(narrator: Narrator, stack: Stack, speed: float) -> str:
    minutes, seconds = (QUEUE_SECONDS + RUN_SECONDS) // 60, (QUEUE_SECONDS + RUN_SECONDS) / speed
    narrator.step(
        f"Zoho, played by a simulator, is asked to move {TOTAL:,} Leads to another owner; {FAILING} of them will fail."
        f" The job takes {minutes} minutes, and the simulator's clock makes {seconds:.0f} seconds of them."
    )
    stack.zoho.control.set_speed(speed)
    job_id = stack.zoho.control.start_job(
        module="Leads", total=TOTAL, failed=FAILING, queue_seconds=QUEUE_SECONDS, run_seconds=RUN_SECONDS
    )
    narrator.line(f"   job {job_id} at {stack.zoho.url}")
    return job_id


def _put_secret(narrator: Narrator, stack: Stack) -> None:
    narrator.step(
        "Secrets Manager gets the credentials: a client and its refresh token, from which the function mints access"
        " tokens by itself."
    )
    secret = {
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
        "refresh_token": DEFAULT_REFRESH_TOKEN,
        "data_center": "US",
    }
    stack.client("secretsmanager").create_secret(Name="zoho-credentials", SecretString=json.dumps(secret))
    narrator.line(f"   secret zoho-credentials: {', '.join(secret)}")


def _make_topic(narrator: Narrator, stack: Stack) -> tuple[str, str]:
    narrator.step("SNS gets a topic for the end of the job, and an SQS queue subscribes to it.")
    sns, sqs = stack.client("sns"), stack.client("sqs")
    topic_arn = sns.create_topic(Name="zoho-status")["TopicArn"]
    queue_url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    narrator.line(f"   {topic_arn} → {queue_arn}")
    return topic_arn, queue_url


def _deploy(narrator: Narrator, stack: Stack, topic_arn: str) -> Function:
    narrator.step(
        "Lambda gets the function: the release binary, exactly as it would be deployed. It may check every second,"
        " since Zoho's clock runs so fast."
    )
    env = {
        "ZOHO_SECRET_ID": "zoho-credentials",
        "STATUS_TOPIC_ARN": topic_arn,
        "ZOHO_API_DOMAIN": stack.zoho.url,
        "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
        "CHECK_INTERVAL_MIN_SECONDS": "1",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    function = stack.function("mass-change-owner-status", env=env)
    narrator.line("   " + "  ".join(f"{name}={value}" for name, value in env.items() if name.startswith("CHECK")))
    return function


def _watch(narrator: Narrator, function: Function, job_id: str) -> dict | None:
    """Call, wait as long as the report says, and call with that report, until the watch is over."""
    narrator.step(
        "The function is called with the module and the job id. Each report says how long to wait, and is itself the"
        " next request."
    )
    request = {"module": "Leads", "job_id": job_id, "notify": True}
    narrator.line(f"   {json.dumps(request)}")
    while True:
        answer = function.invoke(request)
        if not answer.ok:
            narrator.line(f"   {answer.error_type}: {answer.error_message}")
            return None
        report = answer.payload
        narrator.line("   " + _in_short(report))
        if report["next_check_seconds"] is None:
            return report
        _wait(narrator, report)
        request = {**report, "notify": True}


def _in_short(report: dict) -> str:
    percent = report["progress_percent"]
    counts = f"{report['updated_count']:>6,} updated  {report['failed_count']:>3} failed"
    wait = report["next_check_seconds"]
    after = report["outcome"] if wait is None else f"again in {wait} s"
    return f"check {report['checks']:>2}  {report['status']:<9} {percent:>3} %  {counts}  {after}"


def _wait(narrator: Narrator, report: dict) -> None:
    end = time.monotonic() + report["next_check_seconds"]
    while (left := end - time.monotonic()) > 0:
        narrator.progress(report["progress_percent"], f"of {report['total_count']:,}, next check in {left:.1f} s")
        time.sleep(min(left, 0.1))


def _show_message(narrator: Narrator, stack: Stack, topic_arn: str, queue_url: str) -> bool:
    narrator.step("The job has finished, so the function has told the topic, and the queue has the message.")
    answer = stack.client("sqs").receive_message(QueueUrl=queue_url, WaitTimeSeconds=5)
    bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    if len(bodies) != 1:
        narrator.line(f"   {len(bodies)} messages arrived, where there should be one")
        return False
    (body,) = bodies
    attributes = {name: attribute["Value"] for name, attribute in body["MessageAttributes"].items()}
    width = max(map(len, attributes))
    narrator.block("Subject", body["Subject"])
    narrator.block("Message", json.dumps(json.loads(body["Message"]), indent=2))
    narrator.block("Attributes, for filter policies", "\n".join(f"{n:<{width}}  {v}" for n, v in attributes.items()))
    (publication,) = stack.published(topic_arn)
    narrator.block("A subscriber by e-mail reads", publication.texts["email"])
    narrator.block("One by text message", publication.texts["sms"])
    return True


def _show_account(narrator: Narrator, stack: Stack, function: Function) -> None:
    stats = stack.zoho.control.stats(records=False)
    narrator.step("What it took, counted by the simulator and by the stack.")
    narrator.line(
        f"   Zoho   {stats.requests.get('crm', 0)} status requests, {stats.tokens_minted} access token minted"
    )
    narrator.line(f"   Lambda {function.invocations} invocations, {function.cold_starts} cold start")
