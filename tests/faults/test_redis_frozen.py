"""A Redis that is away under load: the short form of ``redis_frozen.py``."""

import pytest

from tests.faults.redis_frozen import WAYS, Trial, run
from tests.faults.redis_server import find_redis


@pytest.mark.skipif(find_redis() is None, reason="no Redis is installed")
@pytest.mark.parametrize("way", WAYS)
def test_a_redis_that_is_away_is_a_503_in_time_and_nothing_counts_twice(way):
    # The other tests use the same processors: what is exact here is what is answered, and what counts twice.
    outcome = run(way, Trial(timeout=1, away=2, back_within=5, late=4, settle=0.3, threads=3))

    assert outcome.replayed > 0
    assert outcome.unavailable > 0
