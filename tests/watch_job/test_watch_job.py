"""`watch-job` as a user meets it: in a pipe, as JSON, in a terminal, and by its exit code."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from local.zoho_simulator import DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN
from tests.watch_job.conftest import CREDENTIALS, Terminal

JOB = {"total": 50_000, "failed": 500, "run_seconds": 60}


def finished(terminal: Terminal, **job) -> str:
    """A job that is over already."""
    job_id = terminal.zoho.start_job(**{**JOB, **job})
    terminal.zoho.advance(61)
    return job_id


@pytest.mark.parametrize(
    ("job", "code", "headline"),
    [
        ({"failed": 0}, 0, "50,000 of 50,000 updated"),
        ({"shape": "fails-half-way", "failed": 0}, 1, "FAILED, 25,000 of 50,000 updated, 25,000 not updated"),
        ({}, 3, "49,500 of 50,000 updated, 500 failed"),
    ],
)
def test_the_exit_code_is_the_outcome_of_the_job(terminal, job, code, headline):
    shown = terminal.run("Leads", finished(terminal, **job))
    assert (shown.returncode, shown.stderr) == (code, "")
    assert f"Zoho CRM Leads owner change: {headline}\n" in shown.stdout
    assert re.search(r"^Watched for \d+ s, 1 check\.$", shown.stdout, re.MULTILINE)


def test_an_unfinished_job_ends_with_4_at_the_limit(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    shown = terminal.run("Leads", job_id, "--limit", "2")
    assert shown.returncode == 4
    assert "still unfinished, no longer watched" in shown.stdout
    assert f"watch-job Leads {job_id} --limit 2\n" in shown.stdout, "a new watch must not begin at its limit"


def test_a_watch_that_cannot_continue_ends_with_5(terminal):
    shown = terminal.run("Leads", "404")
    assert shown.returncode == 5
    assert "no longer watched (JobNotFound)" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        ([], {}, "required arguments were not provided"),
        (["Leads", "x"], {}, 'the job ID "x"'),
        (["Custom", "1"], {}, "placeholder"),
        (["Leads", "1", "--limit", "0"], {}, "0 is not in 1..=31536000"),
        (["Leads", "1", "--min-interval", "9", "--max-interval", "8"], {}, "CHECK_INTERVAL_MAX_SECONDS"),
        (["Leads", "1", "--credentials", "no-such-file"], {}, "no-such-file could not be read"),
        (["Leads", "1"], {"ZOHO_CREDENTIALS": ""}, "no credentials are given"),
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
    terminal.zoho.set_speed(30)
    shown = terminal.run("leads", job_id)
    lines = shown.stdout.splitlines()
    assert shown.returncode == 3
    assert "\x1b" not in shown.stdout
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ RUNNING: \d+%, [\d,]+ of 50,000 updated", lines[0])
    assert any(re.search(r"[\d,]+ per second, about .* left, next check in 1 s$", line) for line in lines)
    assert "COMPLETED: 100%, 49,500 of 50,000 updated, 500 failed" in shown.stdout
    assert terminal.zoho.stats().tokens_minted == 1


def test_json_prints_one_report_per_line(terminal):
    job_id = terminal.zoho.start_job(**JOB)
    terminal.zoho.set_speed(30)
    shown = terminal.run("Leads", job_id, "--json")
    reports = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [report["checks"] for report in reports] == list(range(1, len(reports) + 1))
    assert len(reports) > 1
    assert {report["first_checked_at"] for report in reports} == {reports[0]["first_checked_at"]}
    assert [report["outcome"] for report in reports] == [None] * (len(reports) - 1) + ["PARTIALLY_SUCCEEDED"]


def test_json_ends_with_the_error(terminal):
    shown = terminal.run("Leads", "404", "--json")
    (report,) = map(json.loads, shown.stdout.splitlines())
    assert (report["outcome"], report["error"]["type"]) == ("WATCH_FAILED", "JobNotFound")


def test_an_outage_is_retried(terminal):
    job_id = finished(terminal)
    terminal.zoho.respond(status=503, body="", times=3)
    shown = terminal.run("Leads", job_id)
    assert shown.returncode == 3
    assert re.search(r"^ZohoUnavailable: .*HTTP 503.* \(trying again in 1 s\)$", shown.stderr, re.MULTILINE)


def test_an_outage_until_the_limit_ends_with_4(terminal):
    job_id = finished(terminal)
    terminal.zoho.respond(status=503, body="", times=100)
    shown = terminal.run("Leads", job_id, "--limit", "1")
    assert shown.returncode == 4
    assert "\nZohoUnavailable: " in shown.stdout


def in_a_terminal(terminal: Terminal, *arguments: str) -> tuple[int, str]:
    """What a terminal of 100 columns receives."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = terminal.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux reports that the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    return process.wait(60), text.decode()


def test_a_terminal_gets_a_progress_bar(terminal):
    job_id = terminal.zoho.start_job(**JOB)
    terminal.zoho.set_speed(20)
    code, text = in_a_terminal(terminal, "Leads", job_id)
    assert code == 3
    assert "█" in text
    for part in ("next check in 1 s", "per second", " left", " failed", "%"):
        assert part in text, part
    assert f"Leads {job_id} RUNNING, " in text
    assert "Zoho CRM Leads owner change: 49,500 of 50,000 updated, 500 failed" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_watch_says_how_to_resume_it(terminal, number):
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    process = terminal.start(
        "Leads", job_id, "--max-interval", "60", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "RUNNING" in process.stdout.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    command = re.search(r"^  (.*watch-job Leads .*)$", errors, re.MULTILINE).group(1)
    assert "the job itself continues in Zoho" in errors
    terminal.zoho.advance(100_000)
    resumed = subprocess.run(command, shell=True, env=terminal.env, capture_output=True, text=True, timeout=60)
    assert resumed.returncode == 0
    methods = {request.method for request in terminal.zoho.stats().requests_to("crm")}
    assert methods == {"GET"}, "nothing but status requests: the job is not affected"


def test_credentials_from_a_file_are_read_again_when_zoho_rejects_them(terminal, tmp_path):
    """A token that something else keeps up to date, as in the function's secret."""
    file = tmp_path / "zoho.json"
    token = terminal.zoho.issue_token(life_seconds=1e9)
    file.write_text(json.dumps({"access_token": token}), encoding="utf-8")
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    process = terminal.start(
        "Leads", job_id, "--credentials", str(file), "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    file.write_text(terminal.zoho.issue_token(life_seconds=1e9), encoding="utf-8")
    terminal.zoho.revoke(token)
    terminal.zoho.advance(100_000)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_no_output_contains_a_secret(terminal):
    job_id = finished(terminal)
    terminal.zoho.respond(status=503, body="", times=1)
    shown = terminal.run("Leads", job_id, "--verbose")
    assert "retrying" in shown.stderr
    tokens = {request.token for request in terminal.zoho.stats().requests_to("crm")}
    assert tokens
    for secret in (DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, *tokens):
        assert secret not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("credentials", "code", "line"),
    [
        (
            CREDENTIALS,
            0,
            r"OK: http://127\.0\.0\.1:\d+ \(set by ZOHO_API_DOMAIN\) accepts .* ZohoCRM\.change_owner\.READ",
        ),
        ({**CREDENTIALS, "refresh_token": "1000.other"}, 5, r"The credentials or the data center .*: TokenRejected: "),
        ({"client_id": "1"}, 5, r"The credentials are not correct: SecretInvalid: .*`client_secret`"),
        ({"access_token": "SCOPE"}, 5, r"The scope is not correct: ScopeMismatch: .*ZohoCRM\.change_owner\.READ"),
        ({**CREDENTIALS, "data_center": "XX"}, 5, r"The credentials are not correct: SecretInvalid: .*`data_center`"),
    ],
)
def test_checking_credentials_takes_one_line(terminal, credentials, code, line):
    if credentials.get("access_token") == "SCOPE":
        credentials = {"access_token": terminal.zoho.issue_token(scope="ZohoCRM.modules.ALL")}
    shown = terminal.run("--check-credentials", ZOHO_CREDENTIALS=json.dumps(credentials))
    assert (shown.returncode, shown.stderr) == (code, "")
    assert re.fullmatch(line + r".*\n", shown.stdout), shown.stdout


def test_checking_credentials_during_an_outage_blames_nothing_else(terminal):
    terminal.zoho.respond(status=503, body="", times=100)
    shown = terminal.run("--check-credentials")
    assert shown.returncode == 5
    assert shown.stdout.startswith("The credentials could not be checked: ZohoUnavailable: ")


def test_pages_for_people_and_shells(terminal):
    manual = terminal.run("--man").stdout
    assert r"\-\-check\-credentials" in manual
    assert ".TH watch-job 1" in manual
    for shell in ("bash", "zsh", "fish"):
        script = terminal.run("--completions", shell).stdout
        assert "check-credentials" in script, shell
    assert "Exit codes: 0 the job succeeded" in terminal.run("--help").stdout
    version = terminal.run("--version").stdout
    cargo = (Path(__file__).resolve().parents[2] / "Cargo.toml").read_text(encoding="utf-8")
    packaged = re.search(r'^version = "(.*)"', cargo, re.MULTILINE).group(1)
    assert version == f"watch-job {packaged}\n"
