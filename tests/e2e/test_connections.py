"""The requests and connections of each step, and how connections that have ended are replaced."""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.e2e.relay import relay
from tests.e2e.scene import ago

SERVICES = {
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "crm": "ZOHO_API_DOMAIN",
    "sns": "AWS_ENDPOINT_URL_SNS",
    "scheduler": "AWS_ENDPOINT_URL_SCHEDULER",
}


def test_the_requests_and_connections_of_each_step(make_scene, stack):
    """With the credentials and the shared token of the default deployment, and a relay in front of each service."""
    stack.zoho.control.settings(token_life_seconds=1_000_000)
    first = make_scene(REFRESH_TOKEN_SECRET)
    first.running_job()
    first.report()
    rows: dict[str, list[tuple[int, int]]] = {}

    with contextlib.ExitStack() as ends:
        urls = {service: stack.zoho.url if service == "crm" else stack.endpoint_url for service in SERVICES}
        relays = {service: ends.enter_context(relay(url)) for service, url in urls.items()}
        env = {variable: relays[service].url for service, variable in SERVICES.items()}
        scene = make_scene(env={**env, "ZOHO_SECRET_ID": first.secret_id})

        def step(name: str, do: Callable[[], object]) -> None:
            def counts() -> list[tuple[int, int]]:
                asked = [call.service for call in stack.calls()] + ["crm"] * len(scene.requests())
                return [(asked.count(service), relays[service].connections) for service in SERVICES]

            before = counts()
            do()
            rows[name] = [(new[0] - old[0], new[1] - old[1]) for new, old in zip(counts(), before, strict=True)]

        began = ago(seconds=5)
        adaptive = {"schedule_arn": scene.create_schedule(adapt=True, first_checked_at=began)}
        adaptive |= {"adapt": True, "first_checked_at": began}
        # A request that is not valid makes Lambda start the function, and nothing more.
        step("INIT", lambda: scene.fn.invoke({}))
        step("check of a running job", scene.report)
        step("the same, by an adaptive schedule", lambda: scene.report(**adaptive))
        scene.zoho.advance(200_000)
        step("end, by a schedule", lambda: scene.report(**adaptive))
    none = (0, 0)
    assert rows == {
        "INIT": [(2, 2), (0, 1), none, none],
        "check of a running job": [none, (1, 0), none, none],
        "the same, by an adaptive schedule": [none, (1, 0), none, (2, 1)],
        "end, by a schedule": [none, (1, 0), (1, 1), (2, 1)],
    }


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_connections_that_ended_during_a_freeze_are_replaced(make_scene, stack, reset):
    with relay(stack.zoho.url) as to_zoho, relay(stack.endpoint_url) as to_aws:
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
    assert [line for line in scene.fn.logs if line["level"] in ("WARN", "ERROR")] == []


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
    assert "panicked" in scene.check(notify=True).error_message
    resource.prlimit(pid, resource.RLIMIT_AS, limits)
    assert scene.report(notify=True)["notification"]
    assert scene.fn.cold_starts == 1
