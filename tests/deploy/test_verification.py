"""The questions of `make verify-aws`, put to the local stack as far as it can answer them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.deployment import Deployment
from local.deployment.template import definition
from local.verification.questions import QUESTIONS, schedule_target
from local.verification.report import Answer, ask, sentence, table
from local.verification.target import REJECTED_CREDENTIALS


class LocalTarget:
    """A deployment on the local stack, in the place of an account."""

    only_aws = True
    # Well below the reserved concurrency: a throttled check is tried again after up to two minutes.
    list_size = 8

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.name = deployment.name

    def client(self, service: str) -> Any:
        return self._deployment.stack.client(service)

    def output(self, key: str) -> str:
        return self._deployment.template.outputs[key]

    def resource(self, logical_id: str) -> str:
        return self._deployment.template.references[logical_id]

    def definition(self, logical_id: str) -> str:
        return definition(logical_id, self._deployment.template)

    def make_zoho_unavailable(self) -> None:
        deployment = self._deployment
        token = {"access_token": deployment.stack.zoho.control.issue_token()}
        deployment.stack.client("secretsmanager").put_secret_value(
            SecretId=deployment.template.outputs["SecretArn"], SecretString=json.dumps(token)
        )
        deployment.stack.zoho.control.respond(status=503, times=1_000_000)


@pytest.fixture
def answers(deploy: Callable[..., Deployment]) -> list[Answer]:
    deployment = deploy(secret=REJECTED_CREDENTIALS, ReservedConcurrency=20)
    return list(ask(LocalTarget(deployment)))


def test_every_question_that_the_local_stack_can_answer_passes(answers: list[Answer]) -> None:
    print(table(answers))
    expected = {question.text: "not asked" if question.only_aws else "pass" for question in QUESTIONS}
    assert {answer.question: answer.result for answer in answers} == expected, table(answers)
    assert sum(answer.result == "pass" for answer in answers) == 7


def test_the_target_of_a_schedule_is_that_of_the_command(deployment: Deployment) -> None:
    target = schedule_target(deployment.template.outputs["WatchScheduleCommand"], "Leads", "3")
    assert target["Arn"] == deployment.function.arn
    assert target["RoleArn"] == deployment.template.arns["SchedulerRole"]
    request = {"module": "Leads", "job_id": "3", "schedule_arn": "<aws.scheduler.schedule-arn>", "adapt": True}
    assert json.loads(target["Input"]) == request


def test_the_sentence_names_what_failed() -> None:
    good, bad = Answer("Does it work?", "pass", "yes"), Answer("Does this?", "FAIL", "no")
    assert sentence([good], "eu-west-1").endswith("1 of 1 questions of `make verify-aws` passed.")
    assert "these failed: Does this?" in sentence([good, bad], "eu-west-1")
