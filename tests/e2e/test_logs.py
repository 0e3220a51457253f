"""The log: one line for each check, and no secret at any level."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from tests.e2e.scene import JOB_ID, Scene, status
from tests.scripted import SCRIPTED_FUNCTION

LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]
TOKEN = "1000.c0ffee00c0ffee00c0ffee00c0ffee00.feedfacefeedfacefeedfacefeedface"
CREDENTIALS = {
    "client_id": "1000.LEAKYCLIENTIDLEAKYCLIENTIDLEAK",
    "client_secret": "leakyclientsecretleakyclientsecret00112233",
    "refresh_token": "1000.badc0debadc0debadc0debadc0debad0.deadbeefdeadbeefdeadbeefdeadbee0",
}


def checks(scene: Scene) -> list[dict]:
    scene.fn.stop()
    return [{**line, **line.get("fields", {})} for line in scene.fn.logs if message_of(line) == "check"]


def message_of(line: dict) -> str | None:
    return line.get("fields", line).get("message")


def test_one_line_for_each_check(scene):
    scene.running_job()
    scene.report()
    scene.zoho.fault("server-error", side="crm")
    scene.report()
    scene.zoho.respond(body=status())
    scene.report()
    running, retried, finished = checks(scene)
    assert (running["module"], running["job_id"], running["status"]) == ("Leads", JOB_ID, "RUNNING")
    assert running["attempts"] == 1
    assert (running["next_check_seconds"], running["next_check_reason"]) == (10, "CHECK_INTERVAL_MIN_SECONDS")
    assert set(running["span"]) >= {"requestId", "xrayTraceId"}
    assert retried["attempts"] == 2
    assert (finished["status"], finished["outcome"]) == ("COMPLETED", "PARTIALLY_SUCCEEDED")
    for line in (running, retried, finished):
        assert line["level"] == "INFO"
        assert line["milliseconds"] >= 0


def test_a_failed_check_is_logged_with_its_error(scene):
    scene.check()
    line = scene.fn.wait_for_line(lambda line: "JobNotFound" in line)
    assert JOB_ID in line


def test_every_line_is_json_if_json_is_configured(scene):
    scene.running_job()
    scene.report()
    scene.check(module="Leeds")
    scene.fn.stop()
    assert scene.fn.lines
    for line in scene.fn.lines:
        assert isinstance(json.loads(line), dict)


def test_text_is_the_other_format(make_scene):
    scene = make_scene(env={"AWS_LAMBDA_LOG_FORMAT": "Text"})
    scene.running_job()
    scene.report()
    line = scene.fn.wait_for_line(lambda line: "check" in line and JOB_ID in line)
    assert not line.startswith("{")


def test_the_log_level_is_respected(make_scene):
    scene = make_scene(env={"AWS_LAMBDA_LOG_LEVEL": "ERROR"})
    scene.running_job()
    scene.report()
    scene.fn.stop()
    assert [line for line in scene.fn.lines if '"_aws"' not in line] == []


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
    for http_status in (200, 400, 401, 403, 404, 429, 500):
        zoho.respond(status=http_status, body=echo, times=3)
        check()
        zoho.clear_faults()
        zoho.respond(status=http_status, body={"code": echo, "message": echo, "details": {"token": token}}, times=3)
        check()
        zoho.clear_faults()
    for fault in ("reset", "truncate", "garbage", "redirect"):
        zoho.fault(fault, times=3, side="crm")
        check()
        zoho.clear_faults()
    zoho.respond(status=302, headers={"Location": f"https://example.com/?t={token}"})
    check()
    zoho.respond(body=status())
    check(notify=True)
    zoho.respond(status=404, body={"code": token, "message": f"bad token {token}"})
    check(schedule_arn=scene.create_schedule())
    shown += [publication.message + publication.subject for publication in scene.published()]
    scene.fn.stop()
    shown.append(scene.fn.output)
    return shown


@pytest.mark.parametrize(
    ("level", "log_format"), [*((level, "JSON") for level in LEVELS), ("TRACE", "Text"), ("INFO", "Text")]
)
def test_no_static_token_in_any_output(make_scene, level, log_format):
    env = {"AWS_LAMBDA_LOG_LEVEL": level, "AWS_LAMBDA_LOG_FORMAT": log_format, "RUST_LOG": level, "RUST_BACKTRACE": "1"}
    scene = make_scene({"access_token": TOKEN}, env=env)
    assert leaks("\n".join(provoke(scene)), [TOKEN]) == []
    assert scene.fn.output or level in ("WARN", "ERROR")


@pytest.mark.parametrize("level", LEVELS)
def test_no_credentials_and_no_minted_token_in_any_output(make_scene, stack, level):
    stack.zoho.control.add_client(**CREDENTIALS)
    scene = make_scene(CREDENTIALS, env={"AWS_LAMBDA_LOG_LEVEL": level, "RUST_LOG": level})
    shown = provoke(scene)
    minted = sorted({request.token for request in scene.requests()})
    assert minted
    assert leaks("\n".join(shown), [*CREDENTIALS.values(), *minted]) == []


def test_no_credentials_when_the_accounts_server_echoes_them(make_scene, stack):
    echo = json.dumps({"error": "invalid_client", "error_description": " ".join(CREDENTIALS.values())})
    for http_status, body in [(200, echo), (400, echo), (500, echo), (200, " ".join(CREDENTIALS.values()))]:
        stack.zoho.control.respond(status=http_status, body=body, times=5, side="accounts")
        scene = make_scene(CREDENTIALS, env={"AWS_LAMBDA_LOG_LEVEL": "TRACE", "RUST_LOG": "trace"})
        result = scene.check()
        assert not result.ok
        scene.fn.stop()
        stack.zoho.control.clear_faults()
        assert leaks(json.dumps(result.payload) + scene.fn.output, list(CREDENTIALS.values())) == []


@pytest.mark.parametrize(
    "secret",
    [
        json.dumps(CREDENTIALS)[:-1],
        json.dumps([CREDENTIALS]),
        json.dumps({**CREDENTIALS, "data_center": CREDENTIALS["client_secret"]}),
        json.dumps({**CREDENTIALS, "refresh_token": [CREDENTIALS["refresh_token"]]}),
        f"token {CREDENTIALS['client_secret']}",
    ],
)
def test_no_credentials_when_the_secret_is_malformed(make_scene, secret):
    scene = make_scene(secret, env={"AWS_LAMBDA_LOG_LEVEL": "TRACE", "RUST_LOG": "trace"})
    result = scene.check()
    assert result.error_type == "SecretInvalid"
    scene.fn.stop()
    assert leaks(json.dumps(result.payload) + scene.fn.output, list(CREDENTIALS.values())) == []


@pytest.mark.parametrize("field", ["module", "job_id", "schedule_arn", "watch", "failure"])
@pytest.mark.parametrize("is_whole", [False, True])
def test_no_credentials_when_they_are_in_the_request(make_scene, field, is_whole):
    # As Zoho issues them: nothing but the form tells that this is a secret.
    client_secret = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c"
    misplaced = json.dumps({**CREDENTIALS, "client_secret": client_secret}) if is_whole else client_secret
    value = {"Error": misplaced, "Cause": misplaced} if field == "failure" else misplaced
    scene = make_scene(env={"AWS_LAMBDA_LOG_LEVEL": "TRACE", "RUST_LOG": "trace"})
    request = {"module": "Leads", "job_id": "x", field: value}
    shown = [scene.fn.invoke({**request, "announcement": True}).payload, scene.fn.invoke(request).payload]
    if field != "schedule_arn":
        shown.append(scene.fn.invoke({**request, "schedule_arn": scene.create_schedule()}).payload)
    shown += [f"{message.subject} {message.message} {message.attributes}" for message in scene.published()]
    scene.fn.stop()
    assert leaks(json.dumps(shown) + scene.fn.output, [client_secret, *CREDENTIALS.values()]) == []


def test_the_search_would_find_a_leak(stack):
    with stack.function(stack.unique("leaky"), binary=SCRIPTED_FUNCTION) as leaky:
        leaky.invoke({"token": TOKEN})
    assert leaks(leaky.output, [TOKEN])
    for shape in (
        urllib.parse.quote_plus(CREDENTIALS["client_secret"]),
        base64.b64encode(CREDENTIALS["client_secret"].encode()).decode(),
        repr(list(CREDENTIALS["client_secret"].encode())),
        CREDENTIALS["client_secret"].encode().hex(),
    ):
        assert leaks(f"noise {shape} noise", [CREDENTIALS["client_secret"]])
    assert leaks("nothing to see", [TOKEN, *CREDENTIALS.values()]) == []
