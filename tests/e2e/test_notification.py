"""The message that a subscriber receives, and what happens if SNS does not accept it. tests/golden has every text."""

from __future__ import annotations

import json

import pytest

from tests.e2e.scene import JOB_ID, REPORT_KEYS, status

EVENT_ID = f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"


def test_the_message_at_the_subscriber(scene):
    scene.zoho.respond(body=status())
    report = scene.report(notify=True, label="for Ada", list="monday")
    (received,) = scene.received()
    assert (received["Type"], received["TopicArn"]) == ("Notification", scene.topic.arn)
    assert received["MessageId"] == report["notification"]["message_id"]
    assert received["Subject"] == (
        "Partly done: Zoho CRM Leads owner change, job ...5021: 49,500 of 50,000 updated, 500 failed"
    )
    message = json.loads(received["Message"])
    assert message == {name: value for name, value in report.items() if name in {*REPORT_KEYS, "label", "list"}}
    assert {name: value["Value"] for name, value in received["MessageAttributes"].items()} == {
        "module": "Leads",
        "job_id": JOB_ID,
        "status": "COMPLETED",
        "outcome": "PARTIALLY_SUCCEEDED",
        "event_id": EVENT_ID,
        "label": "for Ada",
        "list": "monday",
    }
    (publication,) = scene.published()
    email, sms = publication.texts["email"], publication.texts["sms"]
    assert publication.texts.keys() >= {"default", "email", "sms"}
    for part in ("Leads", JOB_ID, "50,000", "49,500", "500", "for Ada"):
        assert part in email
    assert "49,500" in sms
    assert "\n" not in sms.strip()


@pytest.mark.parametrize("value", ["COMPLETED", "FAILED"])
@pytest.mark.parametrize("count", [None, 2**62])
def test_the_subject_and_the_fifo_ids_fit(make_scene, value, count):
    scene = make_scene(fifo=True)
    counts = dict.fromkeys(("Total_Count", "Updated_Count", "Not_Updated_Count", "Failed_Count"), count)
    scene.zoho.respond(body=status(value, **counts))
    scene.report(module="C" * 255, notify=True)
    (publication,) = scene.published()
    subject = publication.subject
    assert 10 < len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()
    assert len(publication.group_id) <= 128
    assert len(publication.deduplication_id) <= 128


def test_every_delivery_about_one_end_has_the_same_event_id(make_scene):
    scene = make_scene(concurrency=2)
    scene.finished_job()
    request = {"module": "Leads", "job_id": JOB_ID, "notify": True}
    assert all(result.ok for result in scene.fn.invoke_together([request] * 2))
    scene.report(notify=True, checks=7)
    scene.report(notify=False)
    assert [publication.values["event_id"] for publication in scene.published()] == [EVENT_ID] * 3
    assert {(one.group_id, one.deduplication_id) for one in scene.published()} == {(None, None)}


def test_a_fifo_topic_discards_the_repetition(make_scene):
    scene = make_scene(fifo=True)
    scene.finished_job()
    scene.report(notify=True)
    scene.report(notify=True)
    for publication in scene.published():
        assert publication.deduplication_id == EVENT_ID
        assert "Leads" in publication.group_id
        assert JOB_ID in publication.group_id
    assert len(scene.received()) == 1


def test_a_filter_policy_selects_an_outcome(scene):
    queue = scene.stack.queue()
    policy = {"FilterPolicy": json.dumps({"outcome": ["FAILED"]})}
    scene.stack.client("sns").subscribe(TopicArn=scene.topic.arn, Protocol="sqs", Endpoint=queue.arn, Attributes=policy)
    for value in ("COMPLETED", "FAILED"):
        scene.zoho.respond(body=status(value))
        scene.report(notify=True)
    assert len(queue.drain()) == 1


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
