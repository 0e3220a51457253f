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
from tests.watch_job.conftest import CREDENTIALS

CLIENT = f"{DEFAULT_CLIENT_ID}\n{DEFAULT_CLIENT_SECRET}\n"
TEXT = json.dumps(CREDENTIALS)
WRONG = json.dumps({**CREDENTIALS, "client_secret": "other"})
FOREIGN_WORDS = ("the function", "Lambda", "VPC", "the secret", "ZOHO_SECRET_ID", "invocation")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_login_is_all_that_a_watch_needs(terminal):
    """The device flow, with every answer that asks for patience."""
    moved = {"error": "other_dc", "user_location": "eu"}
    terminal.zoho.expect_login("authorization_pending", moved, interval=1)
    shown = terminal.run("login", stdin=CLIENT)
    assert (shown.returncode, shown.stdout[:4]) == (0, "OK: "), shown.stderr
    assert "enter the code WDJB-MJHT" in shown.stderr
    assert json.loads(terminal.login_file.read_text())["data_center"] == "EU"
    assert mode(terminal.login_file) == 0o600
    assert terminal.run("Leads", terminal.finished(), ZOHO_CREDENTIALS=None).returncode == 0
    first, *polls = [request for request in terminal.zoho.stats().records if "/device/" in request.path]
    assert DEFAULT_CLIENT_SECRET not in first.body, "it may be the wrong data center"
    assert min(later.at - earlier.at for earlier, later in itertools.pairwise(polls)) >= 1


def test_a_login_asks_on_a_terminal_and_does_not_show_the_secret(terminal):
    answers = {"Enter client_id:": DEFAULT_CLIENT_ID, "Enter client_secret:": DEFAULT_CLIENT_SECRET}

    def act(text: str) -> str | None:
        question = next((question for question in answers if text.rstrip().endswith(question)), None)
        time.sleep(0.2)  # nobody types sooner than the terminal stops to show it
        return f"{answers.pop(question)}\n" if question else None

    exit_code, text = terminal.screen("login", "--code", terminal.zoho.login_code(), act=act)
    assert (exit_code, DEFAULT_CLIENT_SECRET in text, "OK: " in text) == (0, False, True)


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
    ("arguments", "client", "answers", "code", "message"),
    [
        ([], "1000.OTHER\n", [], 5, "--data-center US EU"),
        ([], CLIENT, ["access_denied"], 5, "accept the request"),
        (["--code", "/dev/null"], CLIENT, [], 2, "neither a code nor a file with a `code`"),
        (["--client-id", "1000.OTHER", "--client-secret", "s"], "", [], 5, "invalid_client"),
    ],
)
def test_what_a_login_is_refused(terminal, arguments, client, answers, code, message):
    terminal.zoho.expect_login(*answers, interval=1)
    shown = terminal.run("login", *arguments, stdin=client)
    assert (shown.returncode, message in shown.stderr) == (code, True), shown.stderr
    assert not terminal.login_file.exists()


def test_one_token_for_all_starts(terminal):
    command = ["Leads", terminal.finished(), "--once"]
    starts = [terminal.start(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(50)]
    assert {(start.communicate()[1], start.returncode) for start in starts} == {(b"", 0)}
    assert terminal.zoho.stats().tokens_minted == 1
    assert {mode(file) for file in (terminal.home / ".cache/watch-job").iterdir()} == {0o600}
    elsewhere = terminal.env["ZOHO_ACCOUNTS_DOMAIN"].replace("127.0.0.1", "localhost")
    for arguments, env in [(["--no-cache"], {}), ([], {"XDG_CACHE_HOME": "/proc/none"})]:
        assert terminal.run(*command, *arguments, **env).returncode == 0
    for _ in range(2):
        assert terminal.run(*command, ZOHO_ACCOUNTS_DOMAIN=elsewhere).returncode == 0
    assert terminal.zoho.stats().tokens_minted == 4, "two that are not kept, one for another host"


def test_credentials_from_a_file_are_read_again_when_zoho_rejects_them(terminal, tmp_path):
    """A token that something else keeps up to date, as in the function's secret."""
    file = tmp_path / "zoho.json"
    token = terminal.zoho.issue_token(life_seconds=1e9)
    file.write_text(json.dumps({"access_token": token}), encoding="utf-8")
    command = ["Leads", terminal.zoho.start_job(run_seconds=100_000), "--credentials", str(file), "--json"]
    process = terminal.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    file.write_text(terminal.zoho.issue_token(life_seconds=1e9), encoding="utf-8")
    terminal.zoho.revoke(token)
    terminal.zoho.advance(100_000)
    assert f"chmod 600 {file}" in process.communicate(timeout=30)[1], "others can read it"
    assert process.returncode == 0


def test_sources_in_their_order(terminal, tmp_path):
    """Each of them alone names itself; the first one wins."""
    file = tmp_path / "zoh\udcf6.json"  # a name that is not UTF-8
    for target in (file, terminal.login_file):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(WRONG)
        target.chmod(0o600)
    for name, shown in {
        "/zoh\ufffd.json": terminal.run("Leads", "1", "--credentials", file),
        "standard input": terminal.run("Leads", "1", "--credentials", "-", stdin=WRONG),
        "the variable ZOHO_CREDENTIALS": terminal.run("Leads", "1", ZOHO_CREDENTIALS=WRONG),
        "/.config/watch-job/": terminal.run("Leads", "1", ZOHO_CREDENTIALS=None),
        "/dev/fd/": terminal.shell(f"$W Leads 1 --credentials <(printf %s '{WRONG}')"),
    }.items():
        assert (shown.returncode, shown.stderr, "TokenRejected: " in shown.stdout) == (5, "", True)
        assert name in shown.stdout
        assert not [word for word in FOREIGN_WORDS if word in shown.stdout]
    shown = terminal.run("Leads", "1", "--once", ZOHO_API_DOMAIN="http://127.0.0.1:1", STATUS_TOPIC_ARN="x")
    assert "this computer's network connection" in shown.stderr
    assert not [word for word in FOREIGN_WORDS if word in shown.stderr]


@pytest.mark.parametrize(
    ("arguments", "env", "code", "message"),
    [
        (["x"], {}, 2, 'the job ID "x"'),
        ([b"\xf6"], {}, 2, "invalid UTF-8"),
        (["1", "--min-interval", "9", "--max-interval", "8"], {}, 2, "CHECK_INTERVAL_MAX_SECONDS"),
        (["1"], {"ZOHO_API_DOMAIN": "http://zoho.example"}, 2, "ZOHO_API_DOMAIN"),
        (["1", "--credentials", "no-such-file"], {}, 2, "no-such-file could not be read: No such file"),
        (["1", "--credentials", "utf-16"], {}, 2, "credentials in UTF-8"),
        (["1", "--credentials", TEXT], {}, 2, "a path (not shown) that looks like credentials"),
        (["1", "--secret-id", TEXT], {}, 2, "neither the name nor the ARN"),
        (["1"], {"ZOHO_CREDENTIALS": "/etc/passwd"}, 5, "the variable ZOHO_CREDENTIALS is neither a Zoho access token"),
        (["1"], {"ZOHO_CREDENTIALS": "", "HOME": "/proc/none"}, 2, "`watch-job login` gets them"),
    ],
)
def test_what_is_not_valid_sends_nothing(terminal, tmp_path, monkeypatch, arguments, env, code, message):
    (tmp_path / "utf-16").write_bytes(TEXT.encode("utf-16"))
    monkeypatch.chdir(tmp_path)
    shown = terminal.run("Leads", *arguments, **env)
    assert (shown.returncode, message in shown.stdout + shown.stderr) == (code, True), shown
    assert DEFAULT_CLIENT_SECRET not in shown.stdout + shown.stderr
    assert terminal.zoho.stats().requests == {"crm": 0, "accounts": 0}


@pytest.mark.parametrize(
    ("credentials", "arguments", "code", "line"),
    [
        (CREDENTIALS, ["Deals", "7"], 0, "change_owner.READ in Deals; job 7 was not found (http"),
        ({**CREDENTIALS, "refresh_token": "1000.other"}, [], 5, "Not correct (asked for Leads): TokenRejected: "),
        ({"access_token": "SCOPE"}, ["Deals"], 5, "Not correct (asked for Deals): ScopeMismatch: "),
        ({"access_token": "OUTAGE"}, [], 7, "Not checked (asked for Leads): ZohoUnavailable: "),
    ],
)
def test_checking_credentials_takes_one_line(terminal, credentials, arguments, code, line):
    if "access_token" in credentials:
        if credentials["access_token"] == "OUTAGE":
            terminal.zoho.respond(status=503, times=100)
        credentials = {"access_token": terminal.zoho.issue_token(scope="ZohoCRM.modules.ALL")}
    shown = terminal.run("--check-credentials", *arguments, ZOHO_CREDENTIALS=json.dumps(credentials))
    assert (shown.returncode, shown.stderr, shown.stdout.count("\n")) == (code, "", 1)
    assert line in shown.stdout
