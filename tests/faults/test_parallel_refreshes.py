"""Honest refreshes at once, on a real server: the short form of ``parallel_refreshes.py``."""

import tempfile
from pathlib import Path

import pytest

from tests.faults.acting import DATABASES, database, serving
from tests.faults.parallel_refreshes import race


@pytest.mark.parametrize("name", DATABASES)
def test_twenty_honest_refreshes_at_once_get_one_successor(name):
    with tempfile.TemporaryDirectory() as path, database(name, Path(path)) as url:
        if url is None:
            pytest.skip(f"no {name}")
        with serving("granian", url, Path(path)) as served:
            assert "one successor each" in race(served, url, rounds=1)
