"""Twenty requests at once to two real workers, on each database: short forms of two programs.

They are ``parallel_refreshes.py`` and ``parallel_sends.py``.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import parallel_refreshes, parallel_sends
from tests.faults.acting import DATABASES, database, serving
from tests.faults.served import Served


@pytest.fixture(scope="module", params=DATABASES)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Served, str]]:
    """A server of two workers, and the URL of its database."""
    with tempfile.TemporaryDirectory() as path, database(request.param, Path(path)) as url:
        if url is None:
            pytest.skip(f"no {request.param}")
        with serving("granian", url, Path(path)) as served:
            yield served, url


def test_twenty_honest_refreshes_at_once_get_one_successor(running):
    served, url = running

    assert "one successor each" in parallel_refreshes.race(served, url, rounds=1)


def test_twenty_sends_at_once_of_what_is_good_once_have_one_winner(running):
    served, url = running

    assert "one winner of each" in parallel_sends.race(served, url, rounds=1)
