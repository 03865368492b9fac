"""Workers that are killed under load: the short form of ``workers_killed.py``."""

import tempfile
from pathlib import Path

import pytest

from tests.faults.workers_killed import run


@pytest.mark.parametrize("kind", ["granian", "gunicorn"])
def test_new_connections_are_served_at_once_and_nothing_counts_twice_when_workers_are_killed(kind):
    with tempfile.TemporaryDirectory() as folder:
        # The other tests use the same processors: what is exact here is what is lost and what counts twice.
        outcome = run(kind, Path(folder), rounds=1, within_seconds=5)

    assert outcome.replayed > 0
    assert outcome.answers > outcome.lost
