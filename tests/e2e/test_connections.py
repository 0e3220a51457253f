"""The connections of one execution environment: opened early, reused, and replaced if they ended during a freeze."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.zoho_simulator import Zoho
from tests.e2e.relay import Relay, relay
from tests.e2e.scene import JOB_ID, LONG_LIFE, Scene

ENDS = pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])


@pytest.fixture
def to_zoho(stack) -> Iterator[Relay]:
    with relay(stack.zoho.url) as made:
        yield made


@pytest.fixture
def to_aws(stack) -> Iterator[Relay]:
    with relay(stack.endpoint_url) as made:
        yield made


def freeze(scene: Scene) -> None:
    """Do what Lambda does after each response."""
    scene.fn.environments[0].signal(signal.SIGSTOP)


def thaw(scene: Scene) -> None:
    scene.fn.environments[0].signal(signal.SIGCONT)


def aws_actions(scene: Scene) -> list[str]:
    """The requests to AWS other than invocations."""
    return [call.action for call in scene.stack.calls() if call.service != "lambda"]


def warnings(scene: Scene) -> list[dict]:
    return [line for line in scene.fn.logs if line["level"] in ("WARN", "ERROR")]


def test_a_check_of_a_running_job_sends_one_request_on_an_open_connection(make_scene, to_zoho, to_aws):
    scene = make_scene(env={"ZOHO_API_DOMAIN": to_zoho.url, "AWS_ENDPOINT_URL": to_aws.url})
    scene.running_job()
    scene.report()
    asked = len(aws_actions(scene))
    for _ in range(3):
        scene.report()
    assert len(scene.requests()) == 4
    assert len(aws_actions(scene)) == asked
    # The credentials and the shared token are read at the same time.
    assert (to_zoho.connections, to_aws.connections) == (1, 2)


def test_the_end_of_a_watch_sends_three_requests_on_open_connections(make_scene, to_zoho, to_aws):
    scene = make_scene(env={"ZOHO_API_DOMAIN": to_zoho.url, "AWS_ENDPOINT_URL": to_aws.url})
    jobs = [scene.finished_job(job_id=job_id) for job_id in ("1", "2")]
    arns = [scene.create_schedule() for _ in jobs]
    asked = len(aws_actions(scene))
    reports = [scene.report(job_id, schedule_arn=arn) for job_id, arn in zip(jobs, arns, strict=True)]
    assert all(report["schedule_deleted"] for report in reports)
    assert aws_actions(scene)[asked:] == ["GetSecretValue"] * 2 + ["Publish", "DeleteSchedule"] * 2
    assert len(scene.requests()) == 2
    # Two reads at the same time, and the connection to Scheduler that is opened while SNS is publishing.
    assert (to_zoho.connections, to_aws.connections) == (1, 3)


@ENDS
def test_a_connection_to_zoho_that_ended_during_a_freeze_is_replaced(make_scene, to_zoho, reset):
    scene = make_scene(env={"ZOHO_API_DOMAIN": to_zoho.url})
    scene.running_job()
    scene.report()
    freeze(scene)
    to_zoho.end_connections(reset)
    thaw(scene)
    assert scene.report()["status"] == "RUNNING"
    assert to_zoho.connections == 2
    assert len(scene.requests()) == 2
    assert scene.fn.cold_starts == 1
    assert warnings(scene) == []


@ENDS
def test_a_connection_to_aws_that_ended_during_a_freeze_is_replaced(make_scene, to_aws, reset):
    scene = make_scene(env={"AWS_ENDPOINT_URL": to_aws.url})
    scene.running_job()
    scene.report()
    freeze(scene)
    opened = to_aws.connections
    to_aws.end_connections(reset)
    scene.zoho.advance(200_000)
    thaw(scene)
    assert scene.report(notify=True)["notification"]
    assert to_aws.connections == opened + 1
    assert len(scene.published()) == 1
    assert warnings(scene) == []


@pytest.mark.parametrize("fault", ["close-on-accept", "reset-on-accept"])
def test_a_connection_that_ended_before_its_first_use_is_replaced(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault)
    assert scene.report()["status"] == "RUNNING"
    assert len(scene.requests()) == 1
    assert warnings(scene) == []


@pytest.mark.parametrize("fault", ["close-reused", "reset-reused"])
def test_a_connection_that_ends_on_its_second_request_is_replaced(scene, fault):
    scene.running_job()
    scene.zoho.fault(fault, side="crm")
    scene.report()
    assert scene.report()["status"] == "RUNNING"
    assert [line["attempts"] for line in scene.fn.logs if line["message"] == "check"] == [1, 2]
    assert warnings(scene) == []


def test_init_does_not_wait_for_a_secrets_manager_that_hangs(scene):
    with scene.stack.fail_aws("secretsmanager", "GetSecretValue", status=None, hold=True):
        result = scene.check(timeout=3)
    assert result.error_type == "SecretUnavailable"
    (environment,) = scene.fn.environments
    # Lambda ends an INIT after 10 s, which would have been the result.
    assert environment.init_seconds >= 2
    scene.running_job()
    assert scene.report()["status"] == "RUNNING"
    assert scene.fn.cold_starts == 1


def test_init_does_not_wait_for_a_zoho_that_hangs(make_scene):
    with Zoho(tls=True) as zoho:
        zoho.control.start_job(job_id=JOB_ID, run_seconds=1000)
        secret = {"access_token": zoho.control.issue_token(life_seconds=LONG_LIFE)}
        scene = make_scene(secret, env={"ZOHO_API_DOMAIN": zoho.url, "SSL_CERT_FILE": str(zoho.ca_file)})
        zoho.control.fault("stall-on-accept")
        assert scene.report()["status"] == "RUNNING"
        assert scene.fn.environments[0].init_seconds >= 2
        assert scene.fn.cold_starts == 1


def address_space(pid: int) -> int:
    """The address space of a process in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def test_a_panic_is_an_error_and_the_process_survives(make_scene, stack):
    """tokio panics if it cannot start a thread to resolve a name: a way to cause a panic from outside."""
    named = stack.endpoint_url.replace("127.0.0.1", "localhost")
    scene = make_scene(env={"AWS_ENDPOINT_URL_SNS": named})
    scene.running_job()
    scene.report()
    scene.zoho.advance(200_000)
    pid = scene.fn.environments[0].pid
    # Room for an invocation, but not for a thread's stack of 2 MiB.
    limits = resource.prlimit(pid, resource.RLIMIT_AS, (address_space(pid) + 1024 * 1024, resource.RLIM_INFINITY))
    result = scene.check(notify=True)
    assert "panicked" in result.error_message
    assert scene.published() == []
    resource.prlimit(pid, resource.RLIMIT_AS, limits)
    assert scene.report(notify=True)["notification"]
    assert scene.fn.cold_starts == 1
