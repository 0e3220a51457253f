"""Bursts: fifty execution environments invoked at the same moment, their responses, and what they requested."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.stack import Invocation
from tests.e2e.scene import JOB_ID, Scene

ENVIRONMENTS = 50
LABEL = "ZOHO_ACCESS_TOKEN"
REQUEST = {"module": "Leads", "job_id": JOB_ID}
TABLE = Path(__file__).resolve().parents[2] / "target/test/token-sharing.md"


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


@dataclass
class Table:
    """The figures of all bursts as a Markdown table. They are shown, not tested."""

    rows: list[str] = field(default_factory=list)

    def add(self, what: str, burst: Burst) -> None:
        others = f" ({', '.join(burst.errors)})" if burst.errors else ""
        good = f"{len(burst.good)} of {len(burst.responses)}{others}"
        figures = [burst.token_requests, burst.tokens_minted, good, burst.reads, burst.writes, f"{burst.seconds:.1f} s"]
        self.rows.append(f"| {what} | {' | '.join(map(str, figures))} |")

    def write(self) -> str:
        head = (
            "| | token requests | tokens minted | successful | reads | writes | last response |\n" + "|---" * 7 + "|\n"
        )
        text = head + "\n".join(self.rows) + "\n"
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        TABLE.write_text(text, encoding="utf-8")
        return text


def versions(scene: Scene) -> dict[str, list[str]]:
    """The versions with each label."""
    found: dict[str, list[str]] = {}
    secret = scene.stack.client("secretsmanager").describe_secret(SecretId=scene.secret_id)
    for version, labels in secret["VersionIdsToStages"].items():
        for label in labels:
            found.setdefault(label, []).append(version)
    return found


def put_under_label(scene: Scene, text: str) -> None:
    """Store a version with the label of the shared token."""
    secrets = scene.stack.client("secretsmanager")
    secrets.put_secret_value(SecretId=scene.secret_id, SecretString=text, VersionStages=[LABEL])


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
