"""A database that is frozen or stopped under load: the short form of ``databases_frozen.py``."""

import os

import pytest

from tests.faults.database_servers import database_server, find_binary
from tests.faults.databases_frozen import Trial, run


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def database(request):
    if find_binary(request.param) is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {request.param} that may be frozen")
    with database_server(request.param) as server:
        yield server


@pytest.mark.parametrize(
    ("kind", "place", "way"),
    [("granian", "app", "frozen"), ("gunicorn", "replay", "frozen"), ("granian", "app", "stopped")],
)
def test_every_answer_comes_in_time_and_service_comes_back(database, kind, place, way):
    # The other tests use the same processors: what is exact here is what is answered, and that it comes back.
    trial = Trial(
        kind,
        timeout_seconds=1,
        away_seconds=2.5,
        back_within_seconds=5,
        late_seconds=4,
        threads=3,
        settle_seconds=0.3,
    )

    outcome = run(database, place, way, trial)

    assert outcome.unavailable > 0
    assert outcome.replayed > 0
