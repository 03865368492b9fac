"""Real processes, real time."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The soak takes two minutes and little CPU: it begins first, or everybody waits for it at the end."""
    items.sort(key=lambda item: FOLDER not in item.path.parents)


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The wall clock goes on: what runs here in other processes knows no other."""
