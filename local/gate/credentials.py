"""For detect-secrets: what Zoho issues to a client, and what stands for a credential in a test."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class ZohoDetector(RegexBasedDetector):
    """Access, refresh, and grant tokens, and the IDs of clients. Client secrets are found by their entropy."""

    secret_type = "Zoho credential"

    denylist = (
        re.compile(r"\b1000\.[0-9a-f]{32}\.[0-9a-f]{32}\b"),
        re.compile(r"\b1000\.[0-9A-Z]{30}\b"),
    )


# Whoever writes a test uses one of these: nothing else that looks like a credential belongs into the tree.
STAND_INS = re.compile(
    "|".join(
        [
            "0123456789abcdef",
            "c0ffee00",
            "badc0de",
            "LEAKY",
            "5f3a9c",  # a client secret
            "EXAMPLE",  # AWS's documentation
            "5d672d79c15b",  # a signature there
            "FwoGZXIvYXdzEBYaDHqa",  # an AWS session token
            "^(password|hunter2)$",  # in a URL
        ]
    )
)


def is_stand_in(secret: str) -> bool:
    """A filter: no finding."""
    return bool(STAND_INS.search(secret))
