"""A simulator of the part of Zoho that the function depends on. See README.md in this directory."""

from .control import ZohoControl
from .oauth import (
    CLIENT_CREDENTIALS_SECRET,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REFRESH_TOKEN,
    REFRESH_TOKEN_SECRET,
)
from .records import RequestRecord
from .server import Zoho
from .settings import Settings

__all__ = [
    "CLIENT_CREDENTIALS_SECRET",
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_REFRESH_TOKEN",
    "REFRESH_TOKEN_SECRET",
    "RequestRecord",
    "Settings",
    "Zoho",
    "ZohoControl",
]
