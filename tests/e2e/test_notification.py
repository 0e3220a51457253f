"""A report, and the message that a subscriber receives. tests/golden has every text; src/watch/event.rs every ID."""

from __future__ import annotations

import json

from tests.e2e.scene import JOB_ID, ago, status

EVENT_ID = f"Leads-{JOB_ID}-PARTIALLY_SUCCEEDED"


def test_the_documented_sample_and_its_message_at_the_subscriber(scene):
    scene.zoho.respond(body=status())
    before = ago(seconds=0)
    report = scene.report(notify=True, label="for Ada", list="monday")
    assert before <= report["checked_at"] <= ago(seconds=0)
    assert {name: value for name, value in report.items() if name != "notification"} == {
        "module": "Leads",
        "job_id": JOB_ID,
        "status": "COMPLETED",
        "finished": True,
        "outcome": "PARTIALLY_SUCCEEDED",
        "total_count": 50000,
        "updated_count": 49500,
        "not_updated_count": 0,
        "failed_count": 500,
        "progress_percent": 100,
        "checks": 1,
        "first_checked_at": report["checked_at"],
        "checked_at": report["checked_at"],
        "next_check_seconds": None,
        "label": "for Ada",
        "list": "monday",
    }
    (received,) = scene.received()
    assert (received["Type"], received["TopicArn"]) == ("Notification", scene.topic.arn)
    assert received["Subject"] == (
        "Partly done: Zoho CRM Leads owner change, job ...5021: 49,500 of 50,000 updated, 500 failed"
    )
    assert received["MessageId"] == report.pop("notification")["message_id"]
    assert json.loads(received["Message"]) == report
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
    assert publication.texts.keys() == {"default", "email", "sms"}
    assert "49,500" in publication.texts["email"]
    assert "49,500" in publication.texts["sms"]
    assert (publication.group_id, publication.deduplication_id) == (None, None)


def test_a_fifo_topic_discards_what_two_environments_say_about_one_end(make_scene):
    scene = make_scene(fifo=True, concurrency=2)
    scene.finished_job()
    request = {"module": "Leads", "job_id": JOB_ID, "notify": True}
    assert all(result.ok for result in scene.fn.invoke_together([request] * 2))
    scene.report(notify=False)
    for publication in scene.published():
        assert publication.values["event_id"] == publication.deduplication_id == EVENT_ID
        assert publication.group_id == f"Leads-{JOB_ID}"
    assert len(scene.published()) == 2
    assert len(scene.received()) == 1
