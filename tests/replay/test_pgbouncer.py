"""A replay store behind PgBouncer, which shares one server connection among many clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.replay.base import Replayed
from tests.servers.pgbouncer import pgbouncer

MARKS = 20
"""More than a driver sends before it prepares a statement on the server."""


@pytest.fixture(params=["session", "transaction"])
def bouncer_url(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """The same database, by way of PgBouncer."""
    with pgbouncer(postgres_url, tmp_path, mode=request.param) as url:
        # In transaction mode a version before 1.21 does not know which connection has which statement.
        yield url if request.param == "session" else f"{url}?prepare_threshold=none"


def test_marks_are_remembered_once(bouncer_url, open_store, mark):
    stores = [open_store(bouncer_url) for _ in range(3)]

    for number in range(MARKS):
        with request_budget(5):
            stores[number % 3].remember([mark(str(number))])
    for number in range(MARKS):
        with request_budget(5), pytest.raises(Replayed):
            stores[(number + 1) % 3].remember([mark(str(number))])
