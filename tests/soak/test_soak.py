"""The short form of ``make soak``: each trouble once, and a moderate load beside the other tests."""

import shutil

from tests.faults.database_servers import find_binary
from tests.servers.throwaway import miss
from tests.soak.run import Trial, run


def test_a_server_that_is_soaked_accepts_nothing_twice_and_refuses_nothing_right():
    if find_binary("postgres") is None or shutil.which("redis-server") is None:
        miss("PostgreSQL and Redis are not both installed")

    outcome = run(Trial(seconds=100, pause_seconds=1.5, timeout_seconds=10, rest_seconds=2))

    assert outcome.replays_tried == outcome.replays_refused > 0
    assert outcome.counts["good answers"] > 0
    assert not outcome.tracebacks
