"""Bursts: 25 execution environments invoked at the same moment, their responses, and what they requested."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.stack import Invocation
from tests.e2e.scene import JOB_ID, Scene

ENVIRONMENTS = 25
LABEL = "ZOHO_ACCESS_TOKEN"
REQUEST = {"module": "Leads", "job_id": JOB_ID}


@dataclass
class Burst:
    """The responses of one burst, and the requests to Zoho and Secrets Manager meanwhile."""

    responses: list[Invocation]
    token_requests: int
    tokens_minted: int
    reads: int
    writes: int
    seconds: float

    @property
    def good(self) -> list[Invocation]:
        return [response for response in self.responses if response.ok]

    @property
    def errors(self) -> list[str]:
        """The error types of the others, each once."""
        return sorted({str(response.error_type) for response in self.responses if not response.ok})


def burst(scene: Scene, environments: int = ENVIRONMENTS) -> Burst:
    """Invoke the function in this many execution environments at the same moment."""
    stats, calls = scene.zoho.stats(records=False), len(scene.stack.calls())
    began = time.monotonic()
    responses = scene.fn.invoke_together([REQUEST] * environments)
    seconds = time.monotonic() - began
    after = scene.zoho.stats(records=False)
    actions = [call.action for call in scene.stack.calls()[calls:] if call.service == "secretsmanager"]
    return Burst(
        responses,
        after.requests["accounts"] - stats.requests["accounts"],
        after.tokens_minted - stats.tokens_minted,
        actions.count("GetSecretValue"),
        actions.count("PutSecretValue"),
        seconds,
    )


def versions(scene: Scene) -> dict[str, list[str]]:
    """The versions with each label."""
    found: dict[str, list[str]] = {}
    secret = scene.stack.client("secretsmanager").describe_secret(SecretId=scene.secret_id)
    for version, labels in secret["VersionIdsToStages"].items():
        for label in labels:
            found.setdefault(label, []).append(version)
    return found


def plant_token(scene: Scene, accounts: str, **token: str) -> None:
    """Store a shared token as the function does, next to what it would store itself."""
    secrets = scene.stack.client("secretsmanager")
    identity = "\n".join([secrets.get_secret_value(SecretId=scene.secret_id)["VersionId"], accounts])
    credentials = hashlib.sha256(identity.encode()).hexdigest()[:32]
    secrets.put_secret_value(
        SecretId=scene.secret_id,
        SecretString=json.dumps({"credentials": credentials, "failures": 0, **token}),
        VersionStages=[LABEL],
        ClientRequestToken="zoho-access-token-record-0000000001",
    )


def connected_to(url: str, pids: list[int]) -> list[int]:
    """The processes with a connection to this address."""
    port = urlsplit(url).port
    established = "01"
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields: list[Any] = line.split()
        if fields[3] == established and int(fields[2].split(":")[1], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    return [pid for pid in pids if any(_target(entry) in inodes for entry in Path(f"/proc/{pid}/fd").iterdir())]


def _target(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except FileNotFoundError:  # closed since it was listed
        return ""
