"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.zoho_simulator import Zoho, ZohoControl

from .plain_http import Http


@pytest.fixture(scope="session")
def running_zoho() -> Iterator[Zoho]:
    # The clock is stopped: only `advance` moves it.
    with Zoho(speed=0) as zoho:
        yield zoho


@pytest.fixture
def zoho(running_zoho: Zoho) -> Zoho:
    running_zoho.control.reset()
    return running_zoho


@pytest.fixture
def control(zoho: Zoho) -> ZohoControl:
    return zoho.control


@pytest.fixture
def http_client(zoho: Zoho) -> Http:
    return Http(zoho, zoho.control.issue_token())
