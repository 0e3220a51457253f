"""The requests and connections of each step, and how connections that have ended are replaced.

The table of requests and connections is written to target/test/requests.md.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.zoho_simulator import REFRESH_TOKEN_SECRET, Zoho
from tests.e2e.relay import Relay, relay
from tests.e2e.scene import JOB_ID, LONG_LIFE, Scene, ago

TABLE = Path(__file__).resolve().parents[2] / "target/test/requests.md"
SERVICES = ("secretsmanager", "crm", "sns", "scheduler")


@pytest.fixture
def to_zoho(stack) -> Iterator[Relay]:
    with relay(stack.zoho.url) as made:
        yield made


@pytest.fixture
def to_aws(stack) -> Iterator[Relay]:
    with relay(stack.endpoint_url) as made:
        yield made


def warnings(scene: Scene) -> list[dict]:
    return [line for line in scene.fn.logs if line["level"] in ("WARN", "ERROR")]


def test_the_requests_and_connections_of_each_step(make_scene, stack):
    """With the credentials and the shared token of the default deployment, and a relay in front of each service."""
    hosts = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "secretsmanager", "ZOHO_API_DOMAIN": "crm"}
    hosts |= {"AWS_ENDPOINT_URL_SNS": "sns", "AWS_ENDPOINT_URL_SCHEDULER": "scheduler"}
    relays = {service: Relay(stack.zoho.url if service == "crm" else stack.endpoint_url) for service in SERVICES}
    stack.zoho.control.settings(token_life_seconds=1_000_000)
    first = make_scene(REFRESH_TOKEN_SECRET)
    first.running_job()
    first.report()
    env = {variable: relays[service].url for variable, service in hosts.items()}
    scene = make_scene(env={**env, "ZOHO_SECRET_ID": first.secret_id})
    rows: dict[str, dict[str, tuple[int, int]]] = {}

    def step(name: str, do: Callable[[], object]) -> None:
        def counts() -> dict[str, tuple[int, int]]:
            asked = [call.service for call in stack.calls()] + ["crm"] * len(scene.requests())
            return {service: (asked.count(service), relays[service].connections) for service in SERVICES}

        before = counts()
        do()
        rows[name] = {
            service: (after[0] - before[service][0], after[1] - before[service][1])
            for service, after in counts().items()
        }

    began = ago(seconds=5)
    adaptive = {"schedule_arn": scene.create_schedule(adapt=True, first_checked_at=began)}
    adaptive |= {"adapt": True, "first_checked_at": began}
    # A request that is not valid makes Lambda start the function, and nothing more.
    step("INIT", lambda: scene.fn.invoke({}))
    step("check of a running job", scene.report)
    step("the same, by an adaptive schedule", lambda: scene.report(**adaptive))
    scene.zoho.advance(200_000)
    step("end, by a schedule", lambda: scene.report(**adaptive))
    lines = [f"| {name} | {' | '.join('{} ({})'.format(*row[s]) for s in SERVICES)} |\n" for name, row in rows.items()]
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    head = "| requests (new connections) | Secrets Manager | Zoho | SNS | Scheduler |\n|---|---|---|---|---|\n"
    TABLE.write_text(head + "".join(lines), encoding="utf-8")
    print("\n" + TABLE.read_text(encoding="utf-8"))
    assert {name: [row[service][0] for service in SERVICES] for name, row in rows.items()} == {
        "INIT": [2, 0, 0, 0],
        "check of a running job": [0, 1, 0, 0],
        "the same, by an adaptive schedule": [0, 1, 0, 2],
        "end, by a schedule": [0, 1, 1, 2],
    }
    assert all(1 <= relays[service].connections <= 2 for service in SERVICES)
    for made in relays.values():
        made.close()


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_connections_that_ended_during_a_freeze_are_replaced(make_scene, to_zoho, to_aws, reset):
    scene = make_scene(env={"ZOHO_API_DOMAIN": to_zoho.url, "AWS_ENDPOINT_URL": to_aws.url})
    scene.running_job()
    scene.report()
    scene.fn.environments[0].signal(signal.SIGSTOP)  # as Lambda does after each response
    to_zoho.end_connections(reset)
    to_aws.end_connections(reset)
    scene.zoho.advance(200_000)
    scene.fn.environments[0].signal(signal.SIGCONT)
    assert scene.report(notify=True)["notification"]
    assert (to_zoho.connections, len(scene.requests())) == (2, 2)
    assert len(scene.published()) == 1
    assert scene.fn.cold_starts == 1
    assert warnings(scene) == []


def test_init_does_not_wait_for_a_secrets_manager_that_hangs(scene):
    with scene.stack.fail_aws("secretsmanager", "GetSecretValue", status=None, hold=True):
        assert scene.check(timeout=3).error_type == "SecretUnavailable"
    (environment,) = scene.fn.environments
    # Lambda ends an INIT after 10 s, which would have been the result.
    assert environment.init_seconds >= 2
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


def test_init_does_not_wait_for_a_zoho_that_hangs(make_scene):
    with Zoho(tls=True) as zoho, relay(zoho.url, front=lambda _: None) as silent:
        zoho.control.start_job(job_id=JOB_ID, run_seconds=1000)
        secret = {"access_token": zoho.control.issue_token(life_seconds=LONG_LIFE)}
        env = {"ZOHO_API_DOMAIN": silent.url, "SSL_CERT_FILE": str(zoho.ca_file), "REQUEST_TIMEOUT_SECONDS": "1"}
        scene = make_scene(secret, env=env)
        assert scene.check(timeout=6).error_type == "ZohoUnavailable"
        assert 2 <= scene.fn.environments[0].init_seconds < 10
        assert scene.fn.cold_starts == 1


def test_a_panic_is_an_error_and_the_process_survives(make_scene, stack):
    """tokio panics if it cannot start a thread to resolve a name: a way to cause a panic from outside."""
    named = stack.endpoint_url.replace("127.0.0.1", "localhost")
    scene = make_scene(env={"AWS_ENDPOINT_URL_SNS": named})
    scene.running_job()
    scene.report()
    scene.zoho.advance(200_000)
    pid = scene.fn.environments[0].pid
    address_space = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    # Room for an invocation, but not for a thread's stack of 2 MiB.
    limits = resource.prlimit(pid, resource.RLIMIT_AS, (address_space + 1024 * 1024, resource.RLIM_INFINITY))
    result = scene.check(notify=True)
    assert "panicked" in result.error_message
    assert scene.published() == []
    resource.prlimit(pid, resource.RLIMIT_AS, limits)
    assert scene.report(notify=True)["notification"]
    assert scene.fn.cold_starts == 1
