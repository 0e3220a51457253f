"""The order of the tests."""

import pytest

LONGEST = ["faults", "guides", "kills", "linters", "permissions", "release", "watch", "watch_job", "watch_many"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end, a single one would leave a processor idle."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)
