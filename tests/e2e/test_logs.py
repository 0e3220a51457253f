"""The log: one line for each check, and no secret at any level."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from tests.e2e.scene import JOB_ID, status
from tests.scripted import SCRIPTED_FUNCTION

CREDENTIALS = {
    "client_id": "1000.LEAKYCLIENTIDLEAKYCLIENTIDLEAK",
    "client_secret": "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c",
    "refresh_token": "1000.badc0debadc0debadc0debadc0debad0.deadbeefdeadbeefdeadbeefdeadbee0",
}


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


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_no_secret_in_any_output(make_scene, stack, log_format):
    """Whoever echoes one: Zoho, its accounts server, or the caller."""
    zoho, shown = stack.zoho.control, []
    trace = {"AWS_LAMBDA_LOG_LEVEL": "TRACE", "RUST_LOG": "trace", "RUST_BACKTRACE": "1"}
    zoho.add_client(**CREDENTIALS)
    scene = make_scene(CREDENTIALS, env={**trace, "AWS_LAMBDA_LOG_FORMAT": log_format})

    def check(**more) -> None:
        shown.append(json.dumps(scene.check(**more).payload))

    scene.put_secret(json.dumps(CREDENTIALS)[:-1])
    check()
    assert "SecretInvalid" in shown[0]
    scene.put_secret(CREDENTIALS)
    all_of_them = " ".join(CREDENTIALS.values())
    for body in ({"error": "invalid_client", "error_description": all_of_them}, {"error": all_of_them}, all_of_them):
        zoho.respond(400, body=body, times=5, side="accounts")
        check()
        zoho.clear_faults()
        scene.put_secret(CREDENTIALS)  # ends the time for which a failed token request counts
    scene.running_job()
    check()
    token = scene.requests()[-1].token
    echo = f"<html>{token}</html>"
    for http_status in (200, 401, 403, 404, 429):
        for body in (echo, {"code": echo, "message": echo, "details": {"token": token}}, {"error": {"title": token}}):
            zoho.respond(http_status, body=body, times=3)
            check(announcement=True)
            zoho.clear_faults()
    zoho.respond(404, body={"code": token, "message": f"bad token {token}"})
    check(schedule_arn=scene.create_schedule())
    misplaced = json.dumps(CREDENTIALS)
    for field in ("module", "job_id", "watch", "failure", "label", "list", "schedule_arn"):
        value = {"Error": misplaced, "Cause": misplaced} if field == "failure" else misplaced
        check(**{"announcement": True, field: value})
        check(**{"schedule_arn": scene.create_schedule(), field: value})
    scene.fn.stop()
    shown += [f"{message.subject} {message.message} {message.attributes}" for message in scene.published()]
    assert len(scene.published()) >= 2
    issued = {request.token for request in scene.requests()}
    assert leaks("\n".join([*shown, scene.fn.output]), [*CREDENTIALS.values(), *issued]) == []


def test_the_search_would_find_a_leak(stack):
    token = CREDENTIALS["refresh_token"]
    with stack.function(stack.unique("leaky"), binary=SCRIPTED_FUNCTION) as leaky:
        leaky.invoke({"token": token})
    assert leaks(leaky.output, [token])
    assert leaks(f"noise {base64.b64encode(token.encode()).decode()} noise", [token])
    assert leaks("nothing to see", list(CREDENTIALS.values())) == []
