"""The tables of an authorization server: declared once in a process, written once, and copied for every test."""

from functools import cache
from unittest import mock

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.authorization_server import extension
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import Tables, build_tables
from flask_private_key_jwt.testing import made_apps


@cache
def declare_tables() -> tuple[SQLAlchemy, Tables]:
    """The tables in a metadata of their own, which nobody adds to; declaring them takes as long as many a test."""
    db = SQLAlchemy()
    return db, build_tables(db)


def make_extension() -> tuple[SQLAlchemy, PrivateKeyJWT]:
    """An extension of a test's own, on the tables that all share."""
    db, tables = declare_tables()
    with mock.patch.object(extension, "build_tables", return_value=tables):
        return db, PrivateKeyJWT(db)


def create_tables(engine: Engine, metadata: MetaData | None = None) -> None:
    """Create the tables; an SQLite file that is not there yet becomes a copy of one that has them.

    :param metadata: All tables of an application that has more than ours; nobody adds to it any more.
    """
    made_apps.create_tables(engine, declare_tables()[0].metadata if metadata is None else metadata)
