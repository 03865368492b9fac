"""Slow servers of strangers: the short form of ``slow_key_servers.py``."""

import tempfile
from pathlib import Path

from tests.faults.slow_key_servers import run


def test_slow_key_servers_of_strangers_do_not_slow_down_a_known_client():
    with tempfile.TemporaryDirectory() as folder:
        # The other tests use the same processors: an answer that waits for a slow server takes three seconds.
        outcome = run(Path(folder), seconds=3, workers=2, within_seconds=1.5)

    assert outcome.honest > 10
