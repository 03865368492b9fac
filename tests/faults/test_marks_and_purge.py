"""Marks that are written and purged at the same time on PostgreSQL: the short form of ``marks_and_purge.py``."""

from tests.faults.database_servers import find_binary
from tests.faults.marks_and_purge import Trial, run
from tests.servers.throwaway import miss


def test_no_mark_counts_twice_and_none_that_ended_stays_while_a_purge_runs():
    if find_binary("postgres") is None:
        miss("PostgreSQL is not installed")

    outcome = run(Trial(seconds=5, marks_a_second=400, kept_seconds=1, pause_seconds=0.2))

    assert outcome.written.refused > 0
    assert outcome.purged > 0
