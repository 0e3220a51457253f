"""The order of the tests."""

import pytest

LONGEST = ("test_faults", "test_kills", "test_permissions", "test_release", "test_watch", "test_watch_many")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end, a single one would leave a processor idle."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
