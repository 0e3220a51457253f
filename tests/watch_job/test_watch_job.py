"""`watch-job` as a user meets it: in a pipe, as JSON, in a terminal, and by its exit code."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from local.zoho_simulator import DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN
from tests.watch_job.conftest import ctrl_c_after

JOB = {"total": 50_000, "failed": 500}


def test_the_exit_code_is_the_outcome_of_the_job(terminal):
    for job, code, beginning in [({}, 0, "Done"), ({"shape": "fails-half-way"}, 1, "Failed"), (JOB, 3, "Partly done")]:
        job_id = terminal.finished(**job)
        shown = terminal.run("Leads", job_id)
        assert (shown.returncode, shown.stderr) == (code, "")
        assert f"{beginning}: Zoho CRM Leads owner change, job {job_id}\n" in shown.stdout


def test_a_watch_ends_with_4_at_its_limit_and_with_5_if_it_cannot_begin(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    shown = terminal.run("Leads", job_id, "--since", "2026-01-01T00:00:00Z", "--limit", "2s")
    assert shown.returncode == 4
    assert shown.stdout.endswith("without --since.\n"), "a new watch must not begin at its limit"
    shown = terminal.run("Leads", "404")
    assert (shown.returncode, "JobNotFound: " in shown.stdout) == (5, True)
    assert "To watch it again" not in shown.stdout, "the same command would fail again"
    assert terminal.zoho.stats().requests["crm"] == 3, "a new job is looked for twice"


def test_a_pipe_gets_plain_lines(terminal):
    job_id = terminal.zoho.start_job(**JOB, run_seconds=60)
    terminal.zoho.set_speed(15)
    shown = terminal.run("leads", job_id)
    assert (shown.returncode, "\x1b" in shown.stdout) == (3, False)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ RUNNING, \d+%, [\d,]+ of 50,000 updated", shown.stdout)
    assert re.search(r"\d per second, about .* left, next check in 1 s\n", shown.stdout)
    assert "COMPLETED, 100%, 49,500 of 50,000 updated, 500 failed" in shown.stdout


def test_one_look(terminal):
    job_id = terminal.zoho.start_job(**JOB, run_seconds=60)
    terminal.zoho.respond(status=503)
    shown = terminal.run("Leads", job_id, "--once", "--verbose")
    assert (shown.returncode, shown.stdout.count("\n"), "next check" in shown.stdout) == (6, 1, False)
    assert "retrying" in shown.stderr
    for secret in (DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, terminal.zoho.stats().requests_to("crm")[-1].token):
        assert secret not in shown.stdout + shown.stderr
    terminal.zoho.respond(status=503, times=3)
    shown = terminal.run("Leads", job_id, "--once")
    assert (shown.returncode, shown.stdout, shown.stderr.count("ZohoUnavailable: ")) == (5, "", 1)
    assert terminal.run("Leads", terminal.finished(**JOB), "--once").returncode == 3


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
    assert re.match(r"\S+Z ScopeMismatch: .* \(cannot be checked since .* UTC, next attempt in 1\d s\)$", began)
    assert re.match(r"\S+Z The job can be checked again\.$", recovered)


def test_a_terminal_gets_a_progress_bar_and_a_bell(terminal):
    job_id = terminal.zoho.start_job(**JOB, run_seconds=60)
    terminal.zoho.set_speed(20)
    code, text = terminal.screen("Leads", job_id)
    assert (code, "\x07" in text) == (3, False), "no bell after a short watch"
    for part in ("█", "next check in 1 s", "per second", "%", f"Leads {job_id} RUNNING", "Partly done: "):
        assert part in text, part
    long = ["Leads", job_id, "--since", "2026-01-01T00:00:00Z"]
    assert ["\x07" in terminal.screen(*long, *options)[1] for options in ([], ["--no-bell"])] == [True, False]


def test_an_outage_on_a_terminal_is_one_line(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)

    def act(text: str) -> str | None:
        if "next check" in text and "cannot be checked" not in text:
            terminal.zoho.respond(status=503, times=3)
        return ctrl_c_after("next attempt in 9 s")(text)

    code, text = terminal.screen("Leads", job_id, act=act)
    assert (code, text.count("ZohoUnavailable: ")) == (130, 1)
    assert re.search(r"cannot be checked since .* UTC, next attempt in \d+ s", text)


def test_ctrl_c_ends_with_the_command_that_resumes_the_watch(terminal):
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    code, text = terminal.screen("Leads", job_id, TERM="dumb", act=ctrl_c_after("RUNNING, "))
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
        ("exec 3> >(:); sleep 0.2; $W Leads {} --verbose 2>&3", 3),
        ("$W Leads {} | true; exit ${{PIPESTATUS[0]}}", 141),
        ("$W --help >/dev/full", 0),
        ("$W --help | grep -q 'Exit status:' && $W login --help | grep -q print-secret", 0),
        ("export GREETING=$'sch\\xf6n'; $W Leads {}", 3),
    ],
)
def test_outputs_and_variables_that_are_no_reason_to_panic(terminal, script, code):
    job_id = terminal.finished(**JOB)
    terminal.zoho.respond(status=503)
    shown = terminal.shell(script.format(job_id))
    assert (shown.returncode, "panicked" in shown.stderr) == (code, False), shown.stderr
