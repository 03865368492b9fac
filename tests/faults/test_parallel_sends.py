"""What is good once, sent at once to a real server: the short form of ``parallel_sends.py``."""

import tempfile
from pathlib import Path

import pytest

from tests.faults.acting import DATABASES, database, serving
from tests.faults.parallel_sends import race


@pytest.mark.parametrize("name", DATABASES)
def test_twenty_sends_at_once_of_what_is_good_once_have_one_winner(name):
    with tempfile.TemporaryDirectory() as path, database(name, Path(path)) as url:
        if url is None:
            pytest.skip(f"no {name}")
        with serving("granian", url, Path(path)) as served:
            assert "one winner of each" in race(served, url, rounds=1)
