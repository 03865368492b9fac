"""An application's database that does not answer: 503, nothing is issued, and the server recovers by itself."""

import pytest
from sqlalchemy import text

from tests.authorization_server.endpoints.answers import assert_json_never_stored, assert_refused, assert_unavailable
from tests.conftest import CLIENT_ID, close, make_app


# --- the whole database ---------------------------------------------------------------------------------------
@pytest.fixture
def postgres_app(postgres_url, lead):
    """An app with all its tables in PostgreSQL, and the way there."""
    url, line = lead(postgres_url)
    app, oauth, db = make_app(url, OAUTH2_REPLAY_STORE="sql")
    yield app, oauth, db, line
    close(app, db)


class TestPostgres:
    @pytest.fixture
    def server(self, postgres_app):
        return postgres_app[:3]

    @pytest.fixture
    def line(self, postgres_app):
        return postgres_app[3]

    def test_nothing_is_issued_or_spent_until_it_is_back(self, line, ask_token, build_assertion, refusals, issued):
        assertion = build_assertion()
        assert ask_token().status_code == 200
        issued.clear()

        line.cut()
        for _ in range(2):
            assert_unavailable(
                ask_token(assertion=assertion), refusals, "database_unavailable", says="database: OperationalError"
            )
        assert issued == []

        line.restore()
        assert ask_token(assertion=assertion).status_code == 200
        assert ask_token(assertion=assertion).status_code == 400
        assert issued == [CLIENT_ID]

    def test_what_needs_no_database_is_answered(self, line, app, ask_token, refusals):
        line.cut()

        assert app.test_client().get("/.well-known/oauth-authorization-server").status_code == 200
        assert_refused(ask_token(assertion="x"), "invalid_client", refusals, "assertion_malformed")

    def test_keys_that_were_never_read_are_unavailable(self, line, app, refusals):
        line.cut()

        answer = app.test_client().get("/oauth2/jwks")

        assert answer.status_code == 503
        assert_json_never_stored(answer)
        line.restore()
        assert app.test_client().get("/oauth2/jwks").status_code == 200

    def test_no_token_is_spoken_of_or_lost_until_it_is_back(
        self, line, ask_token, introspect, revoke, build_assertion, refusals
    ):
        token = ask_token().json["access_token"]
        assertion = build_assertion()
        assert introspect(token).json["active"] is True

        line.cut()
        for ask in (introspect, revoke):
            assert_unavailable(
                ask(token, assertion=assertion), refusals, "database_unavailable", says="database: OperationalError"
            )

        line.restore()
        assert revoke(token, assertion=assertion).status_code == 200
        assert introspect(token).json == {"active": False}


# --- one table of it ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "sql"}])
@pytest.mark.parametrize("table", ["client", "replay", "server_key"])
def test_table_that_is_missing_is_unavailable_and_then_back(table, app, server, oauth, ask_token, refusals, issued):
    name = getattr(oauth._tables, table).name
    db = server[2]

    rename(app, db, name, f"{name}_away")
    missing = (
        f"database: OperationalError 'no such table: {name}'; tables or columns are missing: run `flask db upgrade`"
    )
    assert_unavailable(ask_token(), refusals, "database_not_migrated", says=missing)
    assert issued == []

    rename(app, db, f"{name}_away", name)
    assert ask_token().status_code == 200


def rename(app, db, old, new):
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_token_is_not_spoken_of_while_it_may_be_revoked(app, server, introspect, revoke, ask_token, refusals):
    token, db = ask_token().json["access_token"], server[2]

    rename(app, db, "oauth2_revocation", "away")
    for ask in (introspect, revoke):
        assert_unavailable(
            ask(token),
            refusals,
            "database_not_migrated",
            says="database: OperationalError 'no such table: oauth2_revocation'",
        )

    rename(app, db, "away", "oauth2_revocation")
    assert introspect(token).json["active"] is True


@pytest.mark.parametrize("endpoint", ["introspect", "revoke"])
def test_refresh_token_may_be_one_of_ours_while_they_are_away(endpoint, app, server, client, request, refusals):
    rename(app, server[2], "oauth2_refresh_token", "away")

    answer = request.getfixturevalue(endpoint)("x")

    assert_unavailable(
        answer,
        refusals,
        "database_not_migrated",
        says="database: OperationalError 'no such table: oauth2_refresh_token'",
    )
