"""Every fault, observed below HTTP."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.zoho_simulator import Zoho, ZohoControl

from .plain_http import Http
from .raw_socket import Received, connect, read_some, read_to_end, send
from .status_call import StatusCall


@pytest.fixture
def call(zoho: Zoho) -> Iterator[StatusCall]:
    call = StatusCall(zoho)
    with call.connection:
        yield call


def is_the_status(received: Received) -> bool:
    return received.status == 200 and json.loads(received.body)["data"][0]["Status"] == "COMPLETED"


# ---- faults of requests ----------------------------------------------------------------------------


def test_no_fault_keeps_the_connection(call: StatusCall) -> None:
    for _ in range(3):
        received = read_some(call.ask())
        assert received.end == "silent"
        assert is_the_status(received)


def test_delay(control: ZohoControl, call: StatusCall) -> None:
    control.fault("delay", seconds=0.05)
    started_at = time.monotonic()
    assert is_the_status(read_some(call.ask()))
    # A lower bound: a slow machine cannot break it.
    assert time.monotonic() - started_at >= 0.05


def test_stall_before_headers(control: ZohoControl, call: StatusCall) -> None:
    control.fault("stall")
    assert read_some(call.ask(), at_least=0) == Received(b"", "silent")


def test_stall_in_headers(control: ZohoControl, call: StatusCall) -> None:
    control.fault("stall-in-headers")
    received = read_some(call.ask())
    assert received.end == "silent"
    assert received.data.startswith(b"HTTP/1.1 200")
    assert b"\r\n\r\n" not in received.data


def test_stall_in_body(control: ZohoControl, call: StatusCall) -> None:
    control.fault("stall-in-body")
    received = read_some(call.ask())
    assert received.end == "silent"
    assert 0 < len(received.body) < int(received.header("Content-Length") or 0)


def test_a_stall_can_end(control: ZohoControl, call: StatusCall) -> None:
    control.fault("stall-in-body", seconds=0.2)
    assert is_the_status(read_some(call.ask(), at_least=300))


def test_reset(control: ZohoControl, call: StatusCall) -> None:
    control.fault("reset")
    assert read_to_end(call.ask()) == Received(b"", "reset")


def test_reset_in_body(control: ZohoControl, call: StatusCall) -> None:
    control.fault("reset-in-body")
    received = read_to_end(call.ask())
    assert received.end == "reset"
    assert 0 < len(received.body) < int(received.header("Content-Length") or 0)


def test_close_without_an_response(control: ZohoControl, call: StatusCall) -> None:
    control.fault("close")
    assert read_to_end(call.ask()) == Received(b"", "closed")


def test_truncation(control: ZohoControl, call: StatusCall) -> None:
    control.fault("truncate")
    received = read_to_end(call.ask())
    assert received.end == "closed"
    assert 0 < len(received.body) < int(received.header("Content-Length") or 0)


@pytest.mark.parametrize("by", [-5, 5])
def test_wrong_content_length(by: int, control: ZohoControl, call: StatusCall) -> None:
    control.fault("wrong-length", by=by)
    received = read_some(call.ask())
    assert is_the_status(received)
    assert int(received.header("Content-Length") or 0) == len(received.body) + by


def test_close_of_an_idle_connection(control: ZohoControl, call: StatusCall) -> None:
    control.fault("close-idle")
    received = read_to_end(call.ask())
    assert received.end == "closed"
    assert is_the_status(received)
    assert received.header("Connection") is None


@pytest.mark.parametrize(("kind", "end"), [("close-reused", "closed"), ("reset-reused", "reset")])
def test_end_of_a_connection_on_its_second_use(kind: str, end: str, control: ZohoControl, call: StatusCall) -> None:
    control.fault(kind)
    received = read_some(call.ask())
    assert received.end == "silent"
    assert is_the_status(received)
    assert read_to_end(call.ask()) == Received(b"", end)


def test_garbage(control: ZohoControl, call: StatusCall) -> None:
    control.fault("garbage")
    received = read_to_end(call.ask())
    assert received.data
    assert not received.data.startswith(b"HTTP/")


@pytest.mark.parametrize("status", [200, 503])
def test_html(status: int, control: ZohoControl, call: StatusCall) -> None:
    control.fault("html", status=status)
    received = read_some(call.ask())
    assert received.status == status
    assert (received.header("Content-Type") or "").startswith("text/html")
    assert received.body.startswith(b"<!DOCTYPE html>")


def test_gzip_bomb(control: ZohoControl, http_client: Http) -> None:
    control.fault("gzip-bomb", size=8 << 20)
    response = http_client.status_of("1")
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.body) < 100_000
    assert len(gzip.decompress(response.body)) > 8 << 20


@pytest.mark.parametrize("chunked", [False, True])
def test_over_long_body_with_and_without_a_length(chunked: bool, control: ZohoControl, http_client: Http) -> None:
    control.fault("over-long", chunked=chunked)
    response = http_client.status_of("1")
    assert response.headers["Content-Length"] == (None if chunked else str(len(response.body)))
    assert len(response.body) > 2 << 20
    assert response.json()["data"]


@pytest.mark.parametrize(("where", "start"), [("body", b"{"), ("headers", b"")])
def test_a_response_that_never_ends(where: str, start: bytes, control: ZohoControl, call: StatusCall) -> None:
    control.fault("endless", where=where)
    received = read_some_bytes(call.ask(), 5 << 20)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert body.partition(b"\r\n")[2].startswith(start)
    assert (len(head) > 4 << 20) == (where == "headers")


def read_some_bytes(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += connection.recv(1 << 20)
    return data


def test_redirect(control: ZohoControl, call: StatusCall) -> None:
    control.fault("redirect")
    received = read_some(call.ask())
    assert (received.status, received.header("Location")) == (302, "/elsewhere")
    assert [record.path for record in control.stats().records if record.path == "/elsewhere"] == []


def test_server_errors_with_and_without_json(control: ZohoControl, call: StatusCall) -> None:
    # 500 INTERNAL_ERROR / INTERNAL_SERVER_ERROR; 502 and 503 occur (oas)
    control.fault("server-error")
    control.fault("server-error", status=502, json=False)
    with_json = read_some(call.ask())
    assert (with_json.status, json.loads(with_json.body)["code"]) == (500, "INTERNAL_ERROR")
    without = read_some(call.ask())
    assert without.status == 502
    assert without.body.startswith(b"<!DOCTYPE html>")


def test_rate_limit(control: ZohoControl, call: StatusCall) -> None:
    control.fault("rate-limit", retry_after=3)
    received = read_some(call.ask())
    assert (received.status, received.header("Retry-After")) == (429, "3")
    assert json.loads(received.body)["details"] == {"retry_after": 3}


@pytest.mark.parametrize("length", [True, False])
def test_a_body_after_a_204(length: bool, control: ZohoControl, call: StatusCall) -> None:
    # The latest specification says that a JSON body (NO_DATA) comes with the 204 (oas)
    control.fault("body-after-204", length=length)
    received = read_some(call.ask())
    assert received.status == 204
    assert json.loads(received.body)["code"] == "NO_DATA"
    assert received.header("Content-Length") == (str(len(received.body)) if length else None)


def test_scripted_responses(control: ZohoControl, http_client: Http, call: StatusCall) -> None:
    control.respond(418, {"X-Own": "1"}, {"code": None}, times=2)
    for _ in range(2):
        response = http_client.status_of("1")
        assert (response.status, response.headers["X-Own"], response.json()) == (418, "1", {"code": None})
    assert http_client.status_of("1").status == 204
    control.respond(raw=b"HTTP/1.1 200 Fine\r\n\r\nraw \xff")
    assert read_to_end(call.ask()) == Received(b"HTTP/1.1 200 Fine\r\n\r\nraw \xff", "closed")


# ---- faults of connections -------------------------------------------------------------------------


def outcome_of_a_new_connection(zoho: Zoho) -> str:
    try:
        with connect(zoho) as connection:
            return read_to_end(connection).end
    except ConnectionResetError:
        # It can arrive as early as that.
        return "reset"


@pytest.mark.parametrize(("kind", "end"), [("close-on-accept", "closed"), ("reset-on-accept", "reset")])
def test_new_connections_that_end(kind: str, end: str, zoho: Zoho) -> None:
    zoho.control.fault(kind, times=2)
    assert [outcome_of_a_new_connection(zoho) for _ in range(2)] == [end] * 2
    with connect(zoho) as connection:
        send(connection, "/", "")
        assert read_some(connection).status == 404


def test_new_connection_that_stays_silent(zoho: Zoho) -> None:
    zoho.control.fault("stall-on-accept")
    with connect(zoho) as connection:
        send(connection, "/", "")
        assert read_some(connection, at_least=0) == Received(b"", "silent")


def test_tls_with_a_certificate_for_another_name() -> None:
    with Zoho(tls=True) as zoho:
        zoho.control.fault("wrong-certificate")
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate is not valid for"):
            connect(zoho)
        with connect(zoho) as connection:
            send(connection, "/", "")
            assert read_some(connection).status == 404
        with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(connection_address(zoho)) as bare:
            ssl.create_default_context().wrap_socket(bare, server_hostname="127.0.0.1")


@pytest.mark.parametrize(("kind", "end"), [("reset", "reset"), ("close", "closed")])
def test_faults_below_tls(kind: str, end: str) -> None:
    with Zoho(tls=True) as zoho:
        zoho.control.fault(kind)
        with connect(zoho) as connection:
            send(connection, "/", "")
            assert read_to_end(connection) == Received(b"", end)


def connection_address(zoho: Zoho) -> tuple[str, int]:
    host, _, port = zoho.url.rpartition("/")[2].partition(":")
    return host, int(port)


# ---- which request gets which fault ----------------------------------------------------------------


def test_faults_happen_in_order_and_on_their_side_only(control: ZohoControl, http_client: Http) -> None:
    control.fault("server-error", side="accounts", status=503)
    control.fault("server-error", times=2, side="crm", status=502)
    control.fault("server-error", status=500)
    assert [http_client.status_of("1").status for _ in range(4)] == [502, 502, 500, 204]
    assert [http_client.mint().status for _ in range(2)] == [503, 200]
    assert [record.fault for record in control.stats().records] == ["server-error"] * 3 + [None, "server-error", None]


def test_clear_faults(control: ZohoControl, http_client: Http) -> None:
    control.fault("server-error", times=9)
    control.random_faults(1, 1, ["server-error"])
    control.clear_faults()
    assert http_client.status_of("1").status == 204


def test_random_faults_repeat_with_their_seed(control: ZohoControl, http_client: Http) -> None:
    def statuses(seed: int) -> list[int]:
        control.random_faults(0.5, seed, ["server-error", "rate-limit"])
        return [http_client.status_of("1").status for _ in range(40)]

    first = statuses(1)
    assert set(first) == {204, 429, 500}
    assert statuses(1) == first != statuses(2)


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("earthquake", {}, "kind must be one of"),
        ("reset", {"times": 0}, "1 or more"),
        ("delay", {"minutes": 1}, "minutes"),
        ("close-on-accept", {"seconds": 1}, "takes no parameters"),
        ("html", {"side": "mail"}, "crm or accounts"),
        ("wrong-certificate", {}, "needs TLS"),
    ],
)
def test_rejects_a_fault_that_is_invalid(
    kind: str, params: dict[str, object], message: str, control: ZohoControl
) -> None:
    with pytest.raises(ValueError, match=message):
        control.fault(kind, **params)


# ---- concurrency -----------------------------------------------------------------------------------


def test_fifty_clients_with_a_fault_in_every_third_response(control: ZohoControl, http_client: Http) -> None:
    job_id = control.start_job(run_seconds=0)
    control.random_faults(1 / 3, 7, ["reset", "close", "truncate", "reset-in-body"])
    control.settings(concurrency=50, latency_seconds=0.001)

    def ask(_: int) -> int:
        try:
            return http_client.status_of(job_id).status
        except (OSError, http.client.HTTPException):
            return 0

    with ThreadPoolExecutor(50) as clients:
        outcomes = list(clients.map(ask, range(500)))
    stats = control.stats()
    broken = [record for record in stats.records if record.fault]
    assert outcomes.count(0) == len(broken) > 100
    assert outcomes.count(200) == 500 - len(broken)
    assert stats.requests["crm"] == stats.connections == 500
