"""Where credentials come from, how they are got, what is kept of them, and what mistakes lead to."""

from __future__ import annotations

import itertools
import json
import stat
import subprocess
import time
from pathlib import Path

import pytest

from local.zoho_simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.watch_job.conftest import CREDENTIALS, Terminal

CLIENT = f"{DEFAULT_CLIENT_ID}\n{DEFAULT_CLIENT_SECRET}\n"
TEXT = json.dumps(CREDENTIALS)
WRONG = json.dumps({**CREDENTIALS, "client_secret": "other"})
FOREIGN_WORDS = ("the function", "Lambda", "VPC", "the secret", "ZOHO_SECRET_ID", "invocation")


def job(terminal: Terminal) -> str:
    """A job that has ended."""
    return terminal.zoho.start_job(run_seconds=0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_login_is_all_that_a_watch_needs(terminal):
    """The device flow, with every answer that asks for patience."""
    moved = {"error": "other_dc", "user_location": "eu"}
    terminal.zoho.expect_login("authorization_pending", moved, interval=1)
    shown = terminal.run("login", stdin=CLIENT)
    assert shown.returncode == 0, shown.stderr
    assert "enter the code WDJB-MJHT" in shown.stderr
    assert shown.stdout.startswith("OK: ")
    assert json.loads(terminal.login_file.read_text())["data_center"] == "EU"
    assert (mode(terminal.login_file), mode(terminal.login_file.parent)) == (0o600, 0o700)
    assert terminal.run("Leads", job(terminal), ZOHO_CREDENTIALS=None).returncode == 0
    first, *polls = [request for request in terminal.zoho.stats().records if "/device/" in request.path]
    assert DEFAULT_CLIENT_SECRET not in first.body, "it may be the wrong data center"
    assert min(later.at - earlier.at for earlier, later in itertools.pairwise(polls)) >= 1


def test_a_login_asks_on_a_terminal_and_does_not_show_the_secret(terminal):
    code = terminal.zoho.login_code()
    answers = {"client_id: ": DEFAULT_CLIENT_ID, "client_secret: ": DEFAULT_CLIENT_SECRET}

    def act(text: str) -> str | None:
        question = next((question for question in answers if text.endswith(question)), None)
        time.sleep(0.2)  # nobody types sooner than the terminal stops to show it
        return f"{answers.pop(question)}\n" if question else None

    exit_code, text = terminal.screen("login", "--code", code, act=act)
    assert exit_code == 0
    assert DEFAULT_CLIENT_SECRET not in text
    assert text.rstrip().endswith("watch-job MODULE JOB_ID")


def test_the_file_of_the_console_is_a_login(terminal, tmp_path):
    file = tmp_path / "self_client.json"
    client = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET}
    file.write_text(json.dumps({**client, "code": terminal.zoho.login_code(), "grant_type": "authorization_code"}))
    shown = terminal.run("login", "--code", file, "--print-secret")
    assert shown.returncode == 0, shown.stderr
    assert terminal.run("--check-credentials", ZOHO_CREDENTIALS=shown.stdout).returncode == 0
    assert not terminal.login_file.exists()
    again = terminal.run("login", "--code", file)
    assert (again.returncode, "invalid_code" in again.stderr) == (5, True)


@pytest.mark.parametrize(
    ("options", "answers", "code", "message"),
    [
        (["--client-id", "1000.OTHER"], [], 5, "--data-center US EU"),
        (["--client-secret", "other", "--client-id", DEFAULT_CLIENT_ID], [], 5, "Copy the client secret again"),
        ([], ["access_denied"], 5, "was declined"),
        ([], ["expired"], 5, "Nobody accepted"),
        ([], ["unknown_word"], 5, "Non-browser Application"),
        (["--scope", "x"], [], 5, "Check --scope"),
        (["--code", "no-such-file"], [], 2, "no-such-file could not be read"),
        (["--client-id", "/etc/passwd"], [], 2, "`client_id` is missing or a path"),
    ],
)
def test_what_a_login_is_refused(terminal, options, answers, code, message):
    terminal.zoho.expect_login(*answers, interval=1)
    shown = terminal.run("login", *options, stdin=CLIENT)
    assert (shown.returncode, message in shown.stderr) == (code, True), shown.stderr
    assert not terminal.login_file.exists()


def test_one_token_for_all_starts(terminal):
    command = ["Leads", job(terminal), "--once"]
    starts = [terminal.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(50)]
    assert {(start.communicate()[1], start.returncode) for start in starts} == {(b"", 0)}
    assert terminal.zoho.stats().tokens_minted == 1
    kept = list((terminal.home / ".cache/watch-job").iterdir())
    assert {mode(file) for file in kept} == {0o600}
    assert terminal.run(*command, "--no-cache").returncode == 0
    assert terminal.run(*command, ZOHO_DATA_CENTER="EU").returncode == 0
    assert terminal.zoho.stats().tokens_minted == 3, "one for --no-cache, one for another host"
    shown = terminal.run(*command, XDG_CACHE_HOME="/proc/none")
    assert (shown.returncode, shown.stderr.count("not kept for the next start")) == (0, 1)


def test_credentials_from_a_file_are_read_again_when_zoho_rejects_them(terminal, tmp_path):
    """A token that something else keeps up to date, as in the function's secret."""
    file = tmp_path / "zoho.json"
    token = terminal.zoho.issue_token(life_seconds=1e9)
    file.write_text(json.dumps({"access_token": token}), encoding="utf-8")
    job_id = terminal.zoho.start_job(run_seconds=100_000)
    command = ["Leads", job_id, "--credentials", str(file), "--json"]
    process = terminal.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    file.write_text(terminal.zoho.issue_token(life_seconds=1e9), encoding="utf-8")
    terminal.zoho.revoke(token)
    terminal.zoho.advance(100_000)
    assert "chmod 600 ~/zoho.json" in process.communicate(timeout=30)[1], "others can read it"
    assert process.returncode == 0


def test_sources_in_their_order(terminal, tmp_path):
    """Each of them alone names itself; the first one wins."""
    file = tmp_path / "zoh\udcf6.json"  # a name that is not UTF-8
    for target in (file, terminal.login_file):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(WRONG)
        target.chmod(0o600)
    shown = [
        terminal.run("Leads", "1", "--credentials", file),
        terminal.run("Leads", "1", "--credentials", "-", stdin=WRONG),
        terminal.run("Leads", "1", ZOHO_CREDENTIALS=WRONG),
        terminal.run("Leads", "1", ZOHO_CREDENTIALS=None),
        terminal.shell(f"$W Leads 1 --credentials <(printf %s '{WRONG}')"),
    ]
    names = ["~/zoh\ufffd.json", "standard input", "the variable ZOHO_CREDENTIALS", "~/.config/watch-job/", "/dev/fd/"]
    for found, name in zip(shown, names, strict=True):
        assert (found.returncode, found.stderr) == (5, "")
        assert "TokenRejected: " in found.stdout
        assert name in found.stdout
        assert not [word for word in FOREIGN_WORDS if word in found.stdout]
    shown = terminal.run("Leads", "1", "--once", ZOHO_API_DOMAIN="http://127.0.0.1:1", STATUS_TOPIC_ARN="x")
    assert "this computer's network connection" in shown.stderr
    assert not [word for word in FOREIGN_WORDS if word in shown.stderr]


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (["--credentials", "no-such-file"], {}, "no-such-file could not be read: No such file"),
        (["--credentials", "{utf-16}"], {}, "Save it as UTF-8"),
        (["--credentials", TEXT], {}, "must be a path, but its value (not shown)"),
        (["--secret-id", TEXT], {}, "neither the name nor the ARN"),
        (["--secret-id", "{public}"], {}, "its value is a file"),
        ([], {"ZOHO_CREDENTIALS": "{public}"}, "is a path. Use --credentials"),
        ([], {"ZOHO_CREDENTIALS": "", "HOME": "/proc/none"}, "`watch-job login` gets them"),
    ],
)
def test_mistakes_with_credentials_end_with_2(terminal, tmp_path, arguments, env, message):
    (tmp_path / "utf-16").write_bytes(TEXT.encode("utf-16"))
    (tmp_path / "public").write_text(TEXT)
    place = {"{utf-16}": str(tmp_path / "utf-16"), "{public}": str(tmp_path / "public")}
    arguments = [place.get(argument, argument) for argument in arguments]
    shown = terminal.run("Leads", "1", *arguments, **{name: place.get(value, value) for name, value in env.items()})
    assert (shown.returncode, shown.stdout) == (2, "")
    assert message in shown.stderr
    assert DEFAULT_CLIENT_SECRET not in shown.stderr
    assert terminal.zoho.stats().requests == {"crm": 0, "accounts": 0}


@pytest.mark.parametrize(
    ("credentials", "arguments", "code", "line"),
    [
        (CREDENTIALS, ["Deals", "7"], 0, "change_owner.READ in Deals; there is no job 7 (set by ZOHO_API"),
        ({**CREDENTIALS, "refresh_token": "1000.other"}, [], 5, "The credentials or the data center are not correct"),
        ({"client_id": "1"}, [], 5, "The credentials are not correct (asked for Leads): SecretInvalid: "),
        ({"access_token": "SCOPE"}, ["Deals"], 5, "The scope is not correct (asked for Deals): ScopeMismatch: "),
        ({"access_token": "OUTAGE"}, [], 7, "could not be checked (asked for Leads): ZohoUnavailable: "),
    ],
)
def test_checking_credentials_takes_one_line(terminal, credentials, arguments, code, line):
    if "access_token" in credentials:
        if credentials["access_token"] == "OUTAGE":
            terminal.zoho.respond(status=503, times=100)
        credentials = {"access_token": terminal.zoho.issue_token(scope="ZohoCRM.modules.ALL")}
    shown = terminal.run("--check-credentials", *arguments, ZOHO_CREDENTIALS=json.dumps(credentials))
    assert (shown.returncode, shown.stderr) == (code, "")
    assert line in shown.stdout
    assert shown.stdout.count("\n") == 1
