"""Real processes, real time."""

import pytest


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The wall clock goes on: what runs here in other processes knows no other."""
