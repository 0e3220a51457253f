"""A plugin for detect-secrets: what Zoho issues to a client."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class ZohoTokenDetector(RegexBasedDetector):
    """Access tokens, refresh tokens and grant tokens, and the IDs and secrets of clients."""

    secret_type = "Zoho credential"

    denylist = (
        re.compile(r"\b1000\.[0-9a-f]{32}\.[0-9a-f]{32}\b"),
        re.compile(r"\b1000\.[0-9A-Z]{30}\b"),
    )
