"""extension.py: from settings to what one app owns. How it behaves as a guest is in tests/guest."""

import dataclasses
import logging

import pytest
from sqlalchemy import create_engine, text

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.replay.memory import MemoryReplayStore
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore
from tests.conftest import INVALID_CLIENT, SECRET, make_app


def journal_mode(server):
    app, _, db = server
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(text("PRAGMA journal_mode"))


def test_app_owns_one_frozen_state(app):
    state = app.extensions["private_key_jwt"]

    with pytest.raises(dataclasses.FrozenInstanceError):
        state.settings = None
    assert state.settings is state.server.settings


def test_later_change_of_the_config_has_no_effect(app, ask_token):
    app.config["OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS"] = 77
    app.config["OAUTH2_ISSUER"] = "https://evil.example"

    assert ask_token().json["expires_in"] == 600


def test_clients_are_those_of_the_current_app(app, oauth):
    with app.app_context():
        assert oauth.clients is app.extensions["private_key_jwt"].clients


# --- stores -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "sql"}])
def test_used_marks_go_to_the_apps_database_by_default(app, server, ask_token):
    ask_token()

    assert isinstance(app.extensions["private_key_jwt"].replay, SQLAlchemyReplayStore)
    with app.app_context(), server[2].engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM oauth2_replay")) == 1


def test_used_marks_may_have_a_database_of_their_own(tmp_path, app, client, build_assertion):
    url = f"sqlite:///{tmp_path}/replay.sqlite"
    other, _, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", OAUTH2_REPLAY_STORE=url)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": build_assertion(),
    }

    answers = [other.test_client().post("/oauth2/token", data=form) for _ in range(2)]

    assert (answers[0].status_code, answers[1].json) == (200, INVALID_CLIENT)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM oauth2_replay")) == 1
    engine.dispose()
    other.extensions["private_key_jwt"].replay.close()
    with other.app_context():
        db.engine.dispose()


def test_memory_is_warned_about(tmp_path, caplog):
    app, _, db = make_app(f"sqlite:///{tmp_path}/other.sqlite", OAUTH2_REPLAY_STORE="memory")
    with app.app_context():
        db.engine.dispose()

    assert isinstance(app.extensions["private_key_jwt"].replay, MemoryReplayStore)
    assert caplog.messages == ["OAUTH2_REPLAY_STORE is memory: right for one process only, and a restart forgets"]


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://user:hunter2@127.0.0.1/x",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+nosuch://u:hunter2@h/d",
        "sqlite:////no/such/folder/replay.sqlite",
        "sqlite:////",
    ],
)
def test_replay_store_that_cannot_be_had_is_an_error_at_start(url, tmp_path):
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_REPLAY_STORE ") as caught:
        make_app(f"sqlite:///{tmp_path}/other.sqlite", OAUTH2_REPLAY_STORE=url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "mode"), [({"OAUTH2_SQLITE_WAL": True}, "wal"), ({"OAUTH2_SQLITE_WAL": False}, "delete"), ({}, "wal")]
)
def test_sqlite_is_switched_to_wal_unless_it_is_told_not_to(settings, mode, server, ask_token):
    assert ask_token().status_code == 200

    assert journal_mode(server) == mode


# --- nothing private in sight -----------------------------------------------------------------------------
def test_start_and_a_request_log_no_secret(tmp_path, caplog, build_assertion, app, client):
    with caplog.at_level(logging.DEBUG):
        other, _, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", OAUTH2_SECRETS=[SECRET, SECRET[::-1]])
        other.test_client().get("/oauth2/jwks")
    with other.app_context():
        db.engine.dispose()

    assert SECRET not in caplog.text
    assert SECRET[::-1] not in caplog.text
    assert SECRET not in repr(other.extensions["private_key_jwt"])
