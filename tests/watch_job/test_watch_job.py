"""`watch-job` as a user meets it: in a pipe, as JSON, in a terminal, and by its exit code."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from local.zoho_simulator import DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN
from tests.watch_job.conftest import Terminal, ctrl_c_after

JOB = {"total": 50_000, "failed": 500, "run_seconds": 60}


def finished(terminal: Terminal, **job) -> str:
    """A job that is over already."""
    return terminal.zoho.start_job(**{**JOB, "run_seconds": 0, **job})


@pytest.mark.parametrize(
    ("job", "code", "end"),
    [
        ({"failed": 0}, 0, "is complete: 50,000 of 50,000 updated"),
        ({"shape": "fails-half-way", "failed": 0}, 1, "failed: 25,000 of 50,000 updated, 25,000 not updated"),
        ({}, 3, "some records were not changed: 49,500 of 50,000 updated, 500 failed"),
    ],
)
def test_the_exit_code_is_the_outcome_of_the_job(terminal, job, code, end):
    job_id = finished(terminal, **job)
    shown = terminal.run("Leads", job_id)
    assert (shown.returncode, shown.stderr) == (code, "")
    assert end in shown.stdout
    assert f"Zoho CRM Leads owner change, job {job_id}\n" in shown.stdout


def test_a_watch_ends_with_4_at_its_limit_and_with_5_if_it_cannot_begin(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    shown = terminal.run("Leads", job_id, "--since", "2026-01-01T00:00:00Z", "--limit", "2s")
    assert shown.returncode == 4
    assert shown.stdout.endswith(f"watch-job Leads {job_id} --limit 2s\n"), "a new watch must not begin at its limit"
    shown = terminal.run("Leads", "404")
    assert shown.returncode == 5
    assert "JobNotFound: " in shown.stdout
    assert "To watch it again" not in shown.stdout, "the same command would fail again"
    assert terminal.zoho.stats().requests["crm"] == 3, "a new job is looked for twice"


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (["Leads", "x"], {}, 'the job ID "x"'),
        (["Leads", b"\xf6"], {}, "invalid UTF-8"),
        (["Leads", "1", "--min-interval", "9", "--max-interval", "8"], {}, "CHECK_INTERVAL_MAX_SECONDS"),
        (["Leads", "1"], {"ZOHO_API_DOMAIN": "http://zoho.example"}, "ZOHO_API_DOMAIN"),
    ],
)
def test_a_wrong_command_line_or_environment_ends_with_2(terminal, arguments, env, message):
    shown = terminal.run(*arguments, **env)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert message in shown.stderr
    assert terminal.zoho.stats().requests.get("crm", 0) == 0


def test_a_pipe_gets_plain_lines(terminal):
    job_id = terminal.zoho.start_job(**JOB)
    terminal.zoho.set_speed(15)
    shown = terminal.run("leads", job_id)
    lines = shown.stdout.splitlines()
    assert shown.returncode == 3
    assert "\x1b" not in shown.stdout
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ RUNNING: \d+%, [\d,]+ of 50,000 updated", lines[0])
    assert any(re.search(r"[\d,]+ per second, about .* left, next check in 1 s$", line) for line in lines)
    assert "COMPLETED: 100%, 49,500 of 50,000 updated, 500 failed" in shown.stdout


def test_one_look(terminal):
    job_id = terminal.zoho.start_job(**JOB)
    terminal.zoho.respond(status=503)
    shown = terminal.run("Leads", job_id, "--once", "--verbose")
    assert (shown.returncode, shown.stdout.count("\n")) == (6, 1)
    assert "next check" not in shown.stdout
    assert "retrying" in shown.stderr
    for secret in (DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, terminal.zoho.stats().requests_to("crm")[-1].token):
        assert secret not in shown.stdout + shown.stderr
    terminal.zoho.respond(status=503, times=3)
    shown = terminal.run("Leads", job_id, "--once")
    assert (shown.returncode, shown.stdout, shown.stderr.count("ZohoUnavailable: ")) == (5, "", 1)
    assert terminal.run("Leads", finished(terminal), "--once").returncode == 3


def test_a_watch_that_has_worked_outlasts_everything(terminal):
    """Answers that would end a new watch, while the job goes on."""
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    process = terminal.start("Leads", job_id, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = json.loads(process.stdout.readline())
    terminal.zoho.respond(status=401, body={"code": "OAUTH_SCOPE_MISMATCH", "message": "", "status": "error"})
    reports = [json.loads(process.stdout.readline()) for _ in range(2)]
    failed = next(report for report in reports if "error" in report)
    assert (failed["error"]["type"], failed["outcome"], failed["status"]) == ("ScopeMismatch", None, "RUNNING")
    assert failed["next_check_seconds"] >= 10
    terminal.zoho.advance(100_000)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    last = json.loads(output.splitlines()[-1])
    assert (last["outcome"], last["first_checked_at"]) == ("SUCCEEDED", first["first_checked_at"])
    began, recovered = errors.splitlines()
    assert re.match(r"\S+Z ScopeMismatch: .* \(next attempt in 1\d s\)$", began)
    assert re.match(r"\S+Z The job can be checked again, after \d+ s\.$", recovered)


def test_a_terminal_gets_a_progress_bar_and_a_bell(terminal):
    job_id = terminal.zoho.start_job(**JOB)
    terminal.zoho.set_speed(20)
    code, text = terminal.screen("Leads", job_id)
    assert code == 3
    for part in ("█", "next check in 1 s", "per second", " left", " failed", "%", f"Leads {job_id} RUNNING"):
        assert part in text, part
    assert f"Partly done: Zoho CRM Leads owner change, job {job_id}" in text
    assert "\x07" not in text, "no bell after a short watch"
    long = ["Leads", job_id, "--since", "2026-01-01T00:00:00Z"]
    assert "\x07" in terminal.screen(*long)[1]
    assert "\x07" not in terminal.screen(*long, "--no-bell")[1]


def test_an_outage_on_a_terminal_is_one_line(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)

    def act(text: str) -> str | None:
        if "next check" in text and "cannot be checked" not in text:
            terminal.zoho.respond(status=503, times=3)
        return ctrl_c_after("next attempt in 9 s")(text)

    code, text = terminal.screen("Leads", job_id, act=act)
    assert code == 130
    assert text.count("ZohoUnavailable: ") == 1
    assert re.search(r"cannot be checked since \d\d:\d\d UTC, next attempt in \d+ s", text)


def test_ctrl_c_ends_with_the_command_that_resumes_the_watch(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    code, text = terminal.screen("Leads", job_id, TERM="dumb", act=ctrl_c_after("RUNNING: "))
    assert (code, "\x1b" in text) == (130, False), "a dumb terminal gets lines"
    code, text = terminal.screen("Leads", job_id, "--max-interval", "1m", act=ctrl_c_after("next check in"))
    assert code == 130
    message = re.search(r"\r\nThe watch has stopped; .* To resume the watch:\r\n  (.*watch-job .*)\r\n$", text)
    assert message, "nothing is drawn below it"
    terminal.zoho.advance(100_000)
    assert terminal.shell(message.group(1)).returncode == 0
    methods = {request.method for request in terminal.zoho.stats().requests_to("crm")}
    assert methods == {"GET"}, "nothing but status requests: the job is not affected"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("$W Leads {} >/dev/full", 3),
        ("$W Leads {} >&- 2>&-", 3),
        ("$W Leads {} --verbose 2>/dev/full", 3),
        # A reader that is gone before the retries of a failed check are logged.
        ("exec 3> >(:); sleep 0.2; $W Leads {} --verbose 2>&3", 3),
        ("$W Leads {} | true; exit ${{PIPESTATUS[0]}}", 141),
        ("$W --help >/dev/full", 0),
        ("$W --help | grep -q 'Exit status:' && $W login --help | grep -q print-secret", 0),
        ("export GREETING=$'sch\\xf6n'; $W Leads {}", 3),
    ],
)
def test_outputs_and_variables_that_are_no_reason_to_panic(terminal, script, code):
    job_id = finished(terminal)
    terminal.zoho.respond(status=503)
    shown = terminal.shell(script.format(job_id))
    assert (shown.returncode, "panicked" in shown.stderr) == (code, False), shown.stderr
