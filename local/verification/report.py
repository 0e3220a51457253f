"""The answers as a table, and the sentence for the README."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from local.verification.questions import QUESTIONS, Scene
from local.verification.target import Target


@dataclass(frozen=True)
class Answer:
    """`result` is pass, FAIL, or not asked."""

    question: str
    result: str
    detail: str


def ask(target: Target) -> Iterator[Answer]:
    """Ask everything that the target can answer, one after the other. A failure does not stop the rest."""
    scene = Scene(target)
    try:
        for question in QUESTIONS:
            if question.only_aws and target.only_aws:
                yield Answer(question.text, "not asked", "only AWS can answer this")
                continue
            try:
                yield Answer(question.text, "pass", question.ask(scene))
            except Exception as error:  # whatever went wrong is the answer
                yield Answer(question.text, "FAIL", f"{type(error).__name__}: {error}"[:300])
    finally:
        scene.close()


def table(answers: list[Answer]) -> str:
    width = max(len(answer.question) for answer in answers)
    lines = [f"{answer.result:<9}  {answer.question:<{width}}  {answer.detail}" for answer in answers]
    return "\n".join(lines)


def sentence(answers: list[Answer], region: str) -> str:
    """What the README can say after this run."""
    passed = sum(answer.result == "pass" for answer in answers)
    failed = [answer.question for answer in answers if answer.result == "FAIL"]
    day = time.strftime("%Y-%m-%d", time.gmtime())
    text = f"Verified on AWS ({region}, {day}): {passed} of {len(answers)} questions of `make verify-aws` passed"
    return text + (f"; these failed: {' '.join(failed)}" if failed else ".")
