"""Deploy a throwaway stack, ask, print the answers, and remove everything."""

from __future__ import annotations

import argparse
import secrets
import sys

import boto3

from local.verification.report import ask, sentence, table
from local.verification.target import Account


def main() -> int:
    parser = argparse.ArgumentParser(prog="make verify-aws ARGS=...", description=__doc__)
    parser.add_argument(
        "--stack-name", default=f"verify-{secrets.token_hex(4)}", help="the name of the throwaway stack"
    )
    arguments = parser.parse_args()
    session = boto3.Session()
    if session.get_credentials() is None or session.region_name is None:
        parser.error("no AWS credentials or no Region: set AWS_PROFILE and AWS_REGION, for example")
    account = session.client("sts").get_caller_identity()["Account"]
    print(f"Deploying {arguments.stack_name} to account {account} in {session.region_name}; it is removed at the end.")
    with Account(arguments.stack_name) as target:
        answers = []
        for answer in ask(target):
            print(f"{answer.result:<9}  {answer.question}", flush=True)
            answers.append(answer)
    print("\n" + table(answers) + "\n\n" + sentence(answers, session.region_name))
    return int(any(answer.result == "FAIL" for answer in answers))


if __name__ == "__main__":
    sys.exit(main())
