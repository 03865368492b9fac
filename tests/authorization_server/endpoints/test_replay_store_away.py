"""A replay store that does not answer: 503, nothing is issued, and the server recovers by itself."""

import pytest

from flask_private_key_jwt.replay.memory import MemoryReplayStore
from tests.authorization_server.endpoints.answers import assert_refused, assert_unavailable
from tests.conftest import CLIENT_ID
from tests.refusals import causes

REASONS = {
    "redis": ("redis_unavailable", "redis: ConnectionError"),
    "postgres": ("database_unavailable", "database: OperationalError"),
}
"""Store -> the cause, and what the reason begins with."""
NOBODY_LISTENS = "127.0.0.1:1"


@pytest.fixture(params=["redis", "postgres"])
def kind(request):
    return request.param


@pytest.fixture
def store(kind, lead, request):
    """The URL of a store on a server of its own, and the way there."""
    return lead(request.getfixturevalue(f"{kind}_url"))


@pytest.fixture
def line(store):
    return store[1]


@pytest.fixture
def settings(store):
    return {"OAUTH2_REPLAY_STORE": store[0]}


@pytest.fixture(autouse=True)
def _closed(app):
    yield
    replay = app.extensions["private_key_jwt"].replay
    if not isinstance(replay, MemoryReplayStore):
        replay.close()


def test_nothing_is_issued_or_spent_until_it_is_back(
    kind, line, ask_token, build_assertion, build_dpop, refusals, issued
):
    assertion, proof = build_assertion(), build_dpop()
    assert ask_token().status_code == 200
    issued.clear()

    line.cut()
    cause, says = REASONS[kind]
    for _ in range(2):
        assert_unavailable(ask_token(assertion=assertion, proof=proof), refusals, cause, says=says)
    assert issued == []

    line.restore()
    assert ask_token(assertion=assertion, proof=proof).status_code == 200
    assert ask_token(assertion=assertion).status_code == 400
    assert issued == [CLIENT_ID]


def test_wrong_client_is_told_so_all_the_same(line, ask_token, build_assertion, refusals):
    line.cut()

    answer = ask_token(assertion=build_assertion(aud="https://evil.example"))

    assert_refused(answer, "invalid_client", refusals, "assertion_aud")


@pytest.mark.parametrize(
    "settings",
    [
        {"OAUTH2_REPLAY_STORE": f"redis://user:hunter2@{NOBODY_LISTENS}/0"},
        {"OAUTH2_REPLAY_STORE": f"postgresql+psycopg://user:hunter2@{NOBODY_LISTENS}/hunter2"},
    ],
)
def test_password_of_the_store_is_in_no_log(ask_token, caplog):
    assert ask_token().status_code == 503

    assert "temporarily_unavailable" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("settings", [{}])
@pytest.mark.parametrize("defect", [RuntimeError("private"), TimeoutError("private"), MemoryError("private")])
def test_defect_of_a_store_is_a_500_that_issues_nothing(defect, monkeypatch, ask_token, issued, refusals):
    def remember(self, marks):
        raise defect

    monkeypatch.setattr(MemoryReplayStore, "remember", remember)

    answer = ask_token()

    assert (answer.status_code, answer.json["error"]) == (500, "server_error")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (issued, refusals) == ([], [f"unexpected {type(defect).__name__}"])
    assert causes(refusals) == ["unexpected_error"]
