"""The message that a subscriber receives. tests/golden has every text; src/watch/event.rs every ID."""

from __future__ import annotations

import json

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
    for part in ("Leads", JOB_ID, "50,000", "49,500", "500", "for Ada"):
        assert part in email
    assert "49,500" in sms
    assert "\n" not in sms.strip()
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
