"""The message that a subscriber receives, and what happens if SNS does not accept it."""

from __future__ import annotations

import json

import pytest

from tests.e2e.scene import JOB_ID, REPORT_KEYS, status


def test_the_message_at_the_subscriber(scene):
    scene.zoho.respond(body=status())
    report = scene.report(notify=True)
    (received,) = scene.received()
    assert received["Type"] == "Notification"
    assert received["TopicArn"] == scene.topic.arn
    assert received["MessageId"] == report["notification"]["message_id"]
    assert received["Subject"] == "Zoho CRM Leads owner change: 49,500 of 50,000 updated, 500 failed"
    message = json.loads(received["Message"])
    assert set(message) == REPORT_KEYS
    assert message == {name: value for name, value in report.items() if name in REPORT_KEYS}
    assert received["MessageAttributes"] == {
        "module": {"Type": "String", "Value": "Leads"},
        "job_id": {"Type": "String", "Value": JOB_ID},
        "status": {"Type": "String", "Value": "COMPLETED"},
        "outcome": {"Type": "String", "Value": "PARTIALLY_SUCCEEDED"},
        "event_id": {"Type": "String", "Value": f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"},
    }


def test_the_texts_for_email_and_sms(scene):
    scene.zoho.respond(body=status())
    scene.report(notify=True)
    (publication,) = scene.published()
    assert publication.structure == "json"
    assert set(publication.texts) == {"default", "email", "sms"}
    email, sms = publication.texts["email"], publication.texts["sms"]
    assert 3 <= len(email.strip().splitlines()) <= 15
    for part in ("Leads", JOB_ID, "50,000", "49,500", "500"):
        assert part in email
    assert "\n" not in sms.strip()
    assert len(sms) <= 160
    for part in ("Leads", "49,500"):
        assert part in sms


@pytest.mark.parametrize(
    "job",
    [
        status(),
        status(Updated_Count=50000, Failed_Count=0),
        status("FAILED"),
        status(Total_Count=None, Updated_Count=None, Not_Updated_Count=None, Failed_Count=None),
        status("FAILED", Total_Count=None, Updated_Count=None, Not_Updated_Count=None, Failed_Count=None),
        status(Total_Count=2**62, Updated_Count=2**62, Not_Updated_Count=2**62, Failed_Count=2**62),
    ],
)
@pytest.mark.parametrize("module", ["Leads", "C" * 255], ids=["short module", "long module"])
def test_the_subject_is_short_and_ascii(scene, job, module):
    scene.zoho.respond(body=job)
    scene.report(module=module, notify=True)
    subject = scene.published()[0].subject
    assert 10 < len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


def test_an_unfinished_job_is_not_published(scene):
    scene.running_job()
    report = scene.report(notify=True)
    assert set(report) == REPORT_KEYS
    assert scene.received() == []


def test_every_delivery_about_one_end_has_the_same_event_id(make_scene):
    scene = make_scene(concurrency=2)
    scene.finished_job()
    request = {"module": "Leads", "job_id": JOB_ID, "notify": True}
    assert all(result.ok for result in scene.fn.invoke_together([request] * 2))
    scene.report(notify=True, checks=7)
    assert [publication.values["event_id"] for publication in scene.published()] == [
        f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"
    ] * 3


def test_a_filter_policy_selects_an_outcome(scene):
    queue = scene.stack.queue()
    scene.stack.client("sns").subscribe(
        TopicArn=scene.topic.arn,
        Protocol="sqs",
        Endpoint=queue.arn,
        Attributes={"FilterPolicy": json.dumps({"outcome": ["FAILED"]})},
    )
    scene.zoho.respond(body=status())
    scene.report(notify=True)
    assert queue.drain() == []
    scene.zoho.respond(body=status("FAILED"))
    scene.report(notify=True)
    assert len(queue.drain()) == 1


def test_a_fifo_topic_gets_ids_and_discards_the_repetition(make_scene):
    scene = make_scene(fifo=True)
    scene.finished_job()
    scene.report(notify=True)
    scene.report(notify=True)
    first, second = scene.published()
    assert (first.group_id, first.deduplication_id) == (second.group_id, second.deduplication_id)
    assert first.deduplication_id == first.values["event_id"]
    assert "Leads" in first.group_id
    assert JOB_ID in first.group_id
    assert len(scene.received()) == 1


def test_a_standard_topic_gets_no_fifo_ids(scene):
    scene.finished_job()
    scene.report(notify=True)
    (publication,) = scene.published()
    assert (publication.group_id, publication.deduplication_id) == (None, None)


def test_the_fifo_ids_of_a_long_module_name(make_scene):
    scene = make_scene(fifo=True)
    scene.zoho.respond(body=status())
    scene.report(module="C" * 255, notify=True)
    (publication,) = scene.published()
    assert len(publication.group_id) <= 128
    assert len(publication.deduplication_id) <= 128


@pytest.mark.parametrize(
    ("code", "status_code"),
    [("InternalError", 500), ("Throttled", 429), ("AuthorizationError", 403), ("NotFound", 404), ("KMSDisabled", 400)],
)
def test_a_message_that_sns_does_not_accept(scene, code, status_code):
    scene.finished_job()
    with scene.stack.fail_aws("sns", "Publish", status=status_code, code=code):
        result = scene.check(notify=True)
    assert result.error_type == "NotificationFailed"
    assert code in result.error_message
    assert scene.received() == []
    assert "notification" in scene.report(notify=True)


def test_a_topic_that_does_not_exist(make_scene):
    scene = make_scene(env={"STATUS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:nowhere"})
    scene.finished_job()
    assert scene.check(notify=True).error_type == "NotificationFailed"


def test_lambdas_retry_repeats_a_failed_notification(scene):
    scene.finished_job()
    fault = scene.stack.fail_aws("sns", "Publish", code="InternalError")
    sent = scene.fn.invoke_event({"module": "Leads", "job_id": JOB_ID, "notify": True})
    scene.fn.wait_for_line(lambda line: "NotificationFailed" in line)
    fault.end()
    attempts = sent.wait()
    assert attempts[0].error_type == "NotificationFailed"
    assert attempts[-1].ok
    assert len(scene.received()) == 1
