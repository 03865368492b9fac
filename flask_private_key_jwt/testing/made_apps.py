"""The applications that a test gets if it brings none: an authorization server on SQLite, and a small API."""

import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import StaticPool

from ..authorization_server.extension import PrivateKeyJWT
from ..resource_server.protector import ResourceProtector
from ..resource_server.token_in_flask import current_token
from .in_process_server import InProcessServer

ISSUER = "https://as.example"
"""The issuer, if no API under test names another."""
API = "https://api.example"
"""Its API, and where the one is that :func:`make_api` makes."""


@contextmanager
def making_server(file: Path, settings: Mapping[str, Any]) -> Iterator[flask.Flask]:
    """An authorization server during the block. It has no people: tests say themselves who allowed what.

    :param file: Where its database is made.
    :param settings: Flask settings, which replace the usual ones.
    :raises ConfigurationError: A setting is wrong.
    """
    app = flask.Flask("authorization_server")
    app.config.from_mapping(
        SECRET_KEY=secrets.token_hex(32),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{file}",
        OAUTH2_ISSUER=ISSUER,
        OAUTH2_RESOURCES=[API],
        OAUTH2_REFUSALS_KEPT_SECONDS=0,  # a thread that still writes when the test is over
    )
    app.config.from_mapping(settings)
    db, oauth = _declare()
    db.init_app(app)
    oauth.init_app(app)
    with app.app_context():
        create_tables(db.engine, db.metadata)
    yield app
    with app.app_context():
        db.engine.dispose()


def make_api(server: InProcessServer) -> flask.Flask:
    """An API with one view: ``GET`` and ``POST`` of ``/``, for any token of *server*, whose claims it tells."""
    app = flask.Flask("api")
    app.config.from_mapping(
        OAUTH2_ISSUER=server.issuer,
        OAUTH2_RESOURCE=server.resource,
        OAUTH2_EXTERNAL_URL=API,
        OAUTH2_REPLAY_STORE="memory",
    )
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)

    @app.route("/", methods=["GET", "POST"])
    @require_oauth()
    def tell() -> dict[str, Any]:
        return dict(current_token)

    return app


@cache
def _declare() -> tuple[SQLAlchemy, PrivateKeyJWT]:
    """The tables, declared once in a process: that takes as long as many a test."""
    db = SQLAlchemy()
    return db, PrivateKeyJWT(db)


def create_tables(engine: Engine, metadata: MetaData) -> None:
    """Create the tables; an SQLite file that is not there yet becomes a copy of one that has them.

    :param metadata: All tables; nobody adds to it any more.
    """
    file = Path(engine.url.database or "")
    if engine.dialect.name == "sqlite" and file.is_absolute() and not file.exists():
        file.write_bytes(_build_file(metadata))
    else:
        metadata.create_all(engine)


@cache
def _build_file(metadata: MetaData) -> bytes:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        content = driver.serialize()
    engine.dispose()
    return content
