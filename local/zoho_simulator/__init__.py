"""A simulator of the part of Zoho that the function depends on. See README.md in this directory."""

from .control import ZohoControl
from .oauth import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SCOPE,
    DEFAULT_SOID,
)
from .records import RequestRecord, Stats
from .server_thread import Zoho
from .settings import STANDARD_MODULES, Settings

__all__ = [
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_REFRESH_TOKEN",
    "DEFAULT_SCOPE",
    "DEFAULT_SOID",
    "STANDARD_MODULES",
    "RequestRecord",
    "Settings",
    "Stats",
    "Zoho",
    "ZohoControl",
]
