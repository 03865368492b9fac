"""An engine of the replay store's own."""

from unittest.mock import Mock

import psycopg
import pytest

from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.replay.own_engine import open_engine
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "names an SQLite database in memory. Use 'memory' instead."),
        ("sqlite:///:memory:", "names an SQLite database in memory. Use 'memory' instead."),
        ("sqlite:///file:x?mode=memory&cache=shared&uri=true", "names an SQLite database in memory."),
        ("hunter2", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("://hunter2", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("postgresql://user:hunter2@host:port/x", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("nosuchthing://user:hunter2@host/x", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("mysql+oursql://user:hunter2@host/x", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("postgresql+psycopg://user:hunter2@host/x?prepare_threshold=never", "is neither a number nor none."),
        ("postgresql+pg8000://user:hunter2@host/x", "database, whose driver pg8000 is not installed."),
    ],
)
def test_a_url_that_cannot_serve_is_an_error_that_keeps_the_password(url, sentence):
    with pytest.raises(ConfigurationError) as refused:
        open_engine(url)

    assert sentence in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(("query", "timeout"), [("", 30), ("?connect_timeout=2", "2")])
def test_a_command_waits_half_a_minute_for_a_connection_unless_the_url_says_otherwise(monkeypatch, query, timeout):
    connect = Mock(side_effect=psycopg.OperationalError)
    monkeypatch.setattr(psycopg, "connect", connect)
    store = SQLAlchemyReplayStore.from_url(f"postgresql+psycopg://127.0.0.1/x{query}")

    with pytest.raises(StoreUnavailable):
        store.purge()
    assert connect.call_args.kwargs["connect_timeout"] == timeout


# --- where an SQLite file may be ----------------------------------------------------------------------------
def test_a_file_that_is_not_there_yet_is_fine_in_a_folder_that_is(tmp_path):
    open_engine(f"sqlite:///{tmp_path}/new.sqlite").dispose()


def test_a_relative_file_counts_from_where_the_process_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_engine("sqlite:///new.sqlite").dispose()

    with pytest.raises(ConfigurationError, match=rf"in '{tmp_path}/missing', and there is no such folder"):
        open_engine("sqlite:///missing/new.sqlite")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="where this process can write no SQLite file"):
        open_engine(f"sqlite:///{tmp_path}")


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere

    with pytest.raises(ConfigurationError, match="where this process can write no SQLite file"):
        open_engine(f"sqlite:///{tmp_path}/new.sqlite")


def test_a_url_of_sqlites_own_kind_is_left_to_sqlite():
    open_engine("sqlite:///file:/no/such/folder/x.sqlite?uri=true").dispose()
