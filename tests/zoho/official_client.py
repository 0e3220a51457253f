"""Zoho's own SDK, unmodified, as a program: reads a command per line and writes the SDK's result per line.

It is a separate process because the SDK keeps one client per process and writes its logs and tokens to files.

    python official_client.py BASE_URL DIRECTORY
    ["sign-in", "1000.simulated.refresh-token"]
    ["start", "Deals"]
    ["status", "Deals", "3652397000009565021"]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.mass_change_owner import (
    APIException,
    BodyWrapper,
    MassChangeOwnerOperations,
    Owner,
)
from zohocrmsdk.src.com.zoho.crm.api.mass_change_owner.mass_change_owner_operations import CheckStatusParam

from local.zoho_simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET


def sign_in(refresh_token: str) -> None:
    """Initialize the SDK, which mints the first token."""
    base, directory = sys.argv[1], Path(sys.argv[2])
    environment = DataCenter.Environment(base, f"{base}/oauth/v2/token", base)
    # Without find_user=False, it would request the user's name, which the function never does.
    token = OAuthToken(
        client_id=DEFAULT_CLIENT_ID,
        client_secret=DEFAULT_CLIENT_SECRET,
        refresh_token=refresh_token,
        find_user=False,
    )
    store = FileStore(str(directory / "tokens.txt"))
    Initializer.initialize(environment, token, store=store, resource_path=str(directory))


def start(module: str) -> Any:
    owner = Owner()
    owner.set_id(3652397000000281001)
    body = BodyWrapper()
    body.set_cvid(3652397000000538003)
    body.set_owner(owner)
    return MassChangeOwnerOperations(module).change_owner(body)


def status(module: str, job_id: str) -> Any:
    parameters = ParameterMap()
    parameters.add(CheckStatusParam.job_id, int(job_id))
    return MassChangeOwnerOperations(module).check_status(parameters)


def described(response: Any) -> list[Any] | None:
    """The HTTP status and what the SDK's object holds; None if it returned nothing."""
    if response is None:
        return None
    http, content = response.get_status_code(), response.get_object()
    if content is None:
        return [http, None]
    if isinstance(content, APIException):
        return [http, "APIException", content.get_code() and content.get_code().get_value()]
    (element,) = content.get_data()
    if hasattr(element, "get_total_count"):
        names = ("total_count", "updated_count", "not_updated_count", "failed_count")
        return [http, element.get_status().get_value(), *(getattr(element, f"get_{name}")() for name in names)]
    return [http, element.get_code().get_value(), str(element.get_details()["job_id"])]


def main() -> None:
    # The SDK writes its log and its caches to the working directory.
    os.chdir(sys.argv[2])
    commands = {"sign-in": sign_in, "start": start, "status": status}
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        try:
            result = described(commands[command](*arguments))
        except Exception as error:
            result = [type(error).__name__, str(error)]
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
