"""A purge beside a server under load: the short form of ``purge_under_load.py``."""

from tests.faults.purge_under_load import run


def test_nobody_is_refused_while_a_database_is_purged():
    # The other tests use the same processors: what is exact here is that everybody is answered.
    outcome = run(20_000, slowest_seconds=4)

    assert outcome.answers > 0
