"""The log: one line for each check, and no secret at any level."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from tests.e2e.scene import JOB_ID, Scene, status
from tests.scripted import SCRIPTED_FUNCTION

TOKEN = "1000.c0ffee00c0ffee00c0ffee00c0ffee00.feedfacefeedfacefeedfacefeedface"
CREDENTIALS = {
    "client_id": "1000.LEAKYCLIENTIDLEAKYCLIENTIDLEAK",
    "client_secret": "leakyclientsecretleakyclientsecret00112233",
    "refresh_token": "1000.badc0debadc0debadc0debadc0debad0.deadbeefdeadbeefdeadbeefdeadbee0",
}
TRACE = {"AWS_LAMBDA_LOG_LEVEL": "TRACE", "RUST_LOG": "trace", "RUST_BACKTRACE": "1"}


def test_one_line_of_json_for_each_check(make_scene):
    scene = make_scene(env={"AWS_LAMBDA_LOG_LEVEL": "DEBUG"})
    scene.running_job()
    scene.report(label="for Ada")
    scene.zoho.respond(503)
    scene.report()
    scene.zoho.respond(body=status())
    scene.report()
    scene.check(module="Leeds")
    scene.fn.stop()
    assert all(isinstance(json.loads(line), dict) for line in scene.fn.lines)
    running, retried, finished, failed = (line for line in scene.fn.logs if line["message"] == "check")
    assert (running["module"], running["job_id"], running["status"]) == ("Leads", JOB_ID, "RUNNING")
    assert (running["attempts"], running["label"]) == (1, "for Ada")
    assert (running["next_check_seconds"], running["next_check_reason"]) == (10, "CHECK_INTERVAL_MIN_SECONDS")
    assert set(running["span"]) >= {"requestId", "xrayTraceId"}
    assert retried["attempts"] == 2
    assert (finished["status"], finished["outcome"]) == ("COMPLETED", "PARTIALLY_SUCCEEDED")
    assert (failed["level"], failed["error_type"]) == ("ERROR", "InvalidModule")
    assert all(line["milliseconds"] >= 0 for line in (running, retried, finished, failed))
    phases = {line["phase"] for line in scene.fn.logs if line["message"] == "phase"}
    assert {"init", "init.secret"} <= phases, "where the time of INIT went, at DEBUG"


def test_lambdas_controls_are_respected(make_scene):
    text = make_scene(env={"AWS_LAMBDA_LOG_FORMAT": "Text"})
    text.running_job()
    text.report()
    line = text.fn.wait_for_line(lambda line: "check" in line and JOB_ID in line)
    assert not line.startswith("{")
    quiet = make_scene(env={"AWS_LAMBDA_LOG_LEVEL": "ERROR"})
    quiet.report()
    quiet.fn.stop()
    assert quiet.fn.logs == []
    assert quiet.fn.metrics, "metrics do not depend on the level"


# ---- secrets ---------------------------------------------------------------------------------------


def leaks(text: str, secrets: list[str]) -> list[str]:
    """The secrets in a text, unchanged or in an encoding that programs write."""
    found = []
    for secret in secrets:
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        as_bytes = ", ".join(str(byte) for byte in secret.encode())
        shapes = [secret, urllib.parse.quote_plus(secret), encoded, as_bytes, secret.encode().hex(), secret[5:30]]
        found += [secret for shape in shapes if shape in text]
    return found


def provoke(scene: Scene) -> list[str]:
    """Cause everything that could show a secret, and return all that callers and subscribers received."""
    scene.running_job()
    zoho, shown = scene.zoho, []

    def check(**more) -> None:
        shown.append(json.dumps(scene.check(**more).payload))

    check()
    token = scene.requests()[-1].token
    echo = f"<html>{token}</html>"
    bodies = [echo, {"code": echo, "message": echo, "details": {"token": token}}, {"error": {"title": token}}]
    for http_status in (200, 400, 401, 403, 404, 429, 500):
        for body in bodies:
            zoho.respond(http_status, body=body, times=3)
            check(announcement=True)
            zoho.clear_faults()
    zoho.respond(302, headers={"Location": f"https://example.com/?t={token}"})
    check()
    zoho.respond(body=status())
    check(notify=True)
    zoho.respond(404, body={"code": token, "message": f"bad token {token}"})
    check(schedule_arn=scene.create_schedule())
    shown += [publication.message + publication.subject for publication in scene.published()]
    scene.fn.stop()
    shown.append(scene.fn.output)
    return shown


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_no_credentials_and_no_token_in_any_output(make_scene, stack, log_format):
    stack.zoho.control.add_client(**CREDENTIALS)
    scene = make_scene(CREDENTIALS, env={**TRACE, "AWS_LAMBDA_LOG_FORMAT": log_format})
    shown = provoke(scene)
    issued = sorted({request.token for request in scene.requests()})
    assert issued
    assert leaks("\n".join(shown), [*CREDENTIALS.values(), *issued]) == []


@pytest.mark.parametrize("secret", [json.dumps(CREDENTIALS), json.dumps(CREDENTIALS)[:-1], json.dumps([CREDENTIALS])])
def test_no_credentials_when_they_are_echoed_or_malformed(make_scene, stack, secret):
    echo = " ".join(CREDENTIALS.values())
    for body in (json.dumps({"error": "invalid_client", "error_description": echo}), json.dumps({"error": echo}), echo):
        stack.zoho.control.respond(400, body=body, times=5, side="accounts")
        scene = make_scene(secret, env=TRACE)
        result = scene.check()
        assert not result.ok
        scene.fn.stop()
        stack.zoho.control.clear_faults()
        assert leaks(json.dumps(result.payload) + scene.fn.output, list(CREDENTIALS.values())) == []


@pytest.mark.parametrize("field", ["module", "job_id", "schedule_arn", "watch", "failure", "label", "list"])
def test_no_credentials_when_they_are_in_the_request(make_scene, field):
    scene = make_scene(env=TRACE)
    # As Zoho issues them: nothing but the form tells that this is a secret.
    client_secret = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c"
    shown = []
    for misplaced in (client_secret, json.dumps({**CREDENTIALS, "client_secret": client_secret})):
        value = {"Error": misplaced, "Cause": misplaced} if field == "failure" else misplaced
        request = {"module": "Leads", "job_id": "x", field: value}
        shown += [scene.fn.invoke({**request, "announcement": True}).payload, scene.fn.invoke(request).payload]
        if field != "schedule_arn":
            shown.append(scene.fn.invoke({**request, "schedule_arn": scene.create_schedule()}).payload)
    shown += [f"{message.subject} {message.message} {message.attributes}" for message in scene.published()]
    scene.fn.stop()
    assert leaks(json.dumps(shown) + scene.fn.output, [client_secret, *CREDENTIALS.values()]) == []


def test_the_search_would_find_a_leak(stack):
    with stack.function(stack.unique("leaky"), binary=SCRIPTED_FUNCTION) as leaky:
        leaky.invoke({"token": TOKEN})
    assert leaks(leaky.output, [TOKEN])
    assert leaks(f"noise {base64.b64encode(TOKEN.encode()).decode()} noise", [TOKEN])
    assert leaks("nothing to see", [TOKEN, *CREDENTIALS.values()]) == []
