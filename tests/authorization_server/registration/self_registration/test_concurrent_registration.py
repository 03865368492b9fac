"""Several processes use the last use of a registration token: one registers, the others are refused."""

import subprocess
import sys

import pytest
from sqlalchemy import func, select

from flask_private_key_jwt.authorization_server.state import current_state
from tests.authorization_server.registration.self_registration.registration_racer import COUNT
from tests.checkout import CHECKOUT
from tests.conftest import close, make_app

RACER = "tests.authorization_server.registration.self_registration.registration_racer"
TOKENS = 10


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database(request):
    """The URL of an empty database of each kind."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("uses", [1, 3])
def test_token_registers_as_many_clients_as_it_says_however_many_try(database, uses):
    app, oauth, db = make_app(database)
    with app.app_context():
        create = current_state().registration_tokens.create
        tokens = [create(uses=uses, lifetime=3600)[0] for _ in range(TOKENS)]

    program = [sys.executable, "-W", "error", "-m", RACER, database, *tokens]
    finished = subprocess.run(program, capture_output=True, text=True, timeout=120, cwd=CHECKOUT)

    assert finished.returncode == 0, finished.stderr
    answers = [line.split() for line in finished.stdout.splitlines()]
    assert len(answers) == COUNT
    for statuses in zip(*answers, strict=True):
        assert sorted(statuses) == ["201"] * uses + ["401"] * (COUNT - uses)
    with app.app_context():
        assert {token.uses_left for token in current_state().registration_tokens.all()} == {0}
        clients = select(func.count()).select_from(oauth.Client.__table__)
        assert db.session.scalar(clients) == TOKENS * uses
    close(app, db)
