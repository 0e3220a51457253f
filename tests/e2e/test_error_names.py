"""Every public `errorType`: one cause of each, and that it reaches the caller."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.stack import Invocation
from local.zoho_simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, REFRESH_TOKEN_SECRET
from tests.e2e.scene import JOB_ID, Scene

MakeScene = Callable[..., Scene]


def invalid_input(make_scene: MakeScene) -> Invocation:
    return make_scene().fn.invoke({})


def invalid_configuration(make_scene: MakeScene) -> Invocation:
    return make_scene(env={"ZOHO_SECRET_ID": None}).check()


def secret_invalid(make_scene: MakeScene) -> Invocation:
    return make_scene(secret="{}").check()


def secret_unavailable(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    with scene.stack.fail_aws("secretsmanager", "GetSecretValue", code="InternalServiceError"):
        return scene.check()


def token_rejected(make_scene: MakeScene) -> Invocation:
    return make_scene(secret={"access_token": "1000.nobody.knows"}).check()


def token_rate_limited(make_scene: MakeScene) -> Invocation:
    scene = make_scene(REFRESH_TOKEN_SECRET)
    scene.zoho.settings(token_limit=0)
    return scene.check()


def scope_mismatch(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    scene.put_secret({"access_token": scene.issue_token(scope="ZohoCRM.modules.READ")})
    return scene.check()


def permission_denied(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    scene.zoho.settings(forbidden_modules=["Leads"])
    return scene.check(scene.running_job())


def invalid_module(make_scene: MakeScene) -> Invocation:
    return make_scene().check(module="Leeds")


def job_not_found(make_scene: MakeScene) -> Invocation:
    return make_scene().check()


def zoho_rate_limited(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    scene.zoho.settings(daily_credits=0)
    return scene.check()


def zoho_unavailable(make_scene: MakeScene) -> Invocation:
    return make_scene(env={"ZOHO_API_DOMAIN": "http://127.0.0.1:1"}).check()


def zoho_unexpected_response(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    scene.zoho.fault("html", times=3)
    return scene.check()


def notification_failed(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    scene.finished_job()
    with scene.stack.fail_aws("sns", "Publish", code="InternalError"):
        return scene.check(notify=True)


def schedule_not_deleted(make_scene: MakeScene) -> Invocation:
    scene = make_scene()
    scene.finished_job()
    with scene.stack.fail_aws("scheduler", "DeleteSchedule", code="InternalServerException"):
        return scene.check(schedule_arn=scene.create_schedule())


ERRORS = {
    "InvalidInput": invalid_input,
    "InvalidConfiguration": invalid_configuration,
    "SecretInvalid": secret_invalid,
    "SecretUnavailable": secret_unavailable,
    "TokenRejected": token_rejected,
    "TokenRateLimited": token_rate_limited,
    "ScopeMismatch": scope_mismatch,
    "PermissionDenied": permission_denied,
    "InvalidModule": invalid_module,
    "JobNotFound": job_not_found,
    "ZohoRateLimited": zoho_rate_limited,
    "ZohoUnavailable": zoho_unavailable,
    "ZohoUnexpectedResponse": zoho_unexpected_response,
    "NotificationFailed": notification_failed,
    "ScheduleNotDeleted": schedule_not_deleted,
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_error_reaches_the_caller(make_scene, name):
    result = ERRORS[name](make_scene)
    assert result.error_type == name, result.error_message
    assert result.payload.keys() >= {"errorType", "errorMessage"}
    assert "\n" not in result.error_message
    assert 20 < len(result.error_message) < 1000
    for secret in (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, "1000.nobody.knows"):
        assert secret not in result.error_message


def test_the_process_survives_an_error(scene):
    assert scene.fn.invoke({}).error_type == "InvalidInput"
    assert scene.check().error_type == "JobNotFound"
    scene.running_job()
    assert scene.report()["job_id"] == JOB_ID
    assert scene.fn.cold_starts == 1
