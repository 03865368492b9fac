"""An application that has a table of one of our names: ours may be called otherwise, and a clash is one sentence."""

from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, Table, create_engine, inspect
from sqlalchemy.orm import DeclarativeBase, DeclarativeBaseNoMeta, Mapped, mapped_column

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import TABLE_NAMES, build_tables
from flask_private_key_jwt.errors import ConfigurationError
from tests.conftest import ISSUER, SECRET

CLASH = r"has a table oauth2_client already\. If one is a table of your own, .* PrivateKeyJWT\(db, table_prefix="


def plain() -> SQLAlchemy:
    return SQLAlchemy()


def without_automatic_names() -> SQLAlchemy:
    return SQLAlchemy(disable_autonaming=True)


def on_a_base_class() -> SQLAlchemy:
    class Base(DeclarativeBase):
        pass

    return SQLAlchemy(model_class=Base)


def on_a_base_without_metaclass() -> SQLAlchemy:
    class Base(DeclarativeBaseNoMeta):
        pass

    return SQLAlchemy(model_class=Base)


def on_a_base_with_a_hook_of_its_own() -> SQLAlchemy:
    class Base(DeclarativeBase):
        @staticmethod
        def __table_cls__(*items: Any, **options: Any) -> Table:
            return Table(*items, comment="made by the application", **options)

    return SQLAlchemy(model_class=Base, disable_autonaming=True)


KINDS = [
    plain,
    without_automatic_names,
    on_a_base_class,
    on_a_base_without_metaclass,
    on_a_base_with_a_hook_of_its_own,
]


def names_of(metadata: MetaData) -> set[str]:
    """Every name that a database would get to know."""
    names: set[str] = set()
    for table in metadata.tables.values():
        names |= {table.name, *(str(constraint.name) for constraint in table.constraints)}
        names |= {str(index.name) for index in table.indexes}
    return names


# --- a prefix -------------------------------------------------------------------------------------------------
def test_tables_constraints_and_indexes_are_all_named_behind_the_prefix():
    usual, other = SQLAlchemy(), SQLAlchemy()
    build_tables(usual)
    build_tables(other, prefix="as_")

    assert {name.replace("oauth2_", "as_") for name in names_of(usual.metadata)} == names_of(other.metadata)
    assert not [name for name in names_of(other.metadata) if "oauth2" in name]


def test_the_longest_prefix_gives_names_that_every_database_keeps_whole():
    db = SQLAlchemy()
    build_tables(db, prefix="a" * 24)

    assert max(map(len, names_of(db.metadata))) <= 63


@pytest.mark.parametrize("prefix", ["", "A_", "1_", "_x", "a-", 'a"', "a.b_", "é_", "a" * 25, "a_\n", None, 5])
def test_a_prefix_that_cannot_begin_a_name_is_refused(prefix):
    with pytest.raises(ConfigurationError, match="is not accepted: it must be 1 to 24 lower-case letters"):
        build_tables(SQLAlchemy(), prefix=prefix)


@pytest.mark.parametrize("prefix", ["a", "as_", "a" * 24])
def test_a_prefix_that_can_is_taken(prefix):
    assert build_tables(SQLAlchemy(), prefix=prefix).client.name == f"{prefix}client"


def build_host(url: str, **options: Any) -> tuple[Flask, PrivateKeyJWT, SQLAlchemy]:
    """An application with an ``oauth2_client`` of its own."""
    db = SQLAlchemy()

    class OAuth2Client(db.Model):  # type: ignore[name-defined, misc]
        __tablename__ = "oauth2_client"
        id: Mapped[int] = mapped_column(primary_key=True)

    oauth = PrivateKeyJWT(db, table_prefix="as_")
    app = Flask("host")
    app.config.from_mapping(
        SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url, OAUTH2_ISSUER=ISSUER, OAUTH2_REPLAY_STORE="sql", **options
    )
    db.init_app(app)
    oauth.init_app(app)
    return app, oauth, db


def test_a_server_with_a_prefix_issues_a_token(sqlite_url, build_assertion, client_key):
    app, oauth, db = build_host(sqlite_url)
    with app.app_context():
        db.create_all()
        jwks = {"keys": [client_key.public_jwk()]}
        oauth.clients.add({"client_id": "console", "jwks": jwks, "scope": "read", "default_scope": "read"})
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": build_assertion(),
    }

    assert [app.test_client().post("/oauth2/token", data=form).status_code for _ in range(2)] == [200, 400]

    with app.app_context():
        db.engine.dispose()


# --- a clash --------------------------------------------------------------------------------------------------
def test_a_table_of_that_name_that_was_there_first_is_one_sentence():
    db = SQLAlchemy()
    db.Table("oauth2_client", db.Column("id", db.Integer, primary_key=True))

    with pytest.raises(ConfigurationError, match=CLASH):
        PrivateKeyJWT(db)
    assert len(db.metadata.tables) == 1


@pytest.mark.parametrize("options", [{}, {"extend_existing": True}], ids=["plain", "extend_existing"])
@pytest.mark.parametrize("make_db", KINDS)
def test_a_model_of_that_name_that_comes_later_is_the_same_sentence(make_db, options):
    db = make_db()
    PrivateKeyJWT(db)

    with pytest.raises(ConfigurationError, match=CLASH):

        class OAuth2Client(db.Model):
            __tablename__ = "oauth2_client"
            __table_args__ = options
            id: Mapped[int] = mapped_column(primary_key=True)

    assert "client_metadata" in db.metadata.tables["oauth2_client"].c


@pytest.mark.parametrize("make_db", KINDS)
def test_a_model_of_another_name_that_comes_later_is_made_as_ever(make_db):
    db = make_db()
    PrivateKeyJWT(db)

    class Invoice(db.Model):
        __tablename__ = "oauth2_invoice"
        id: Mapped[int] = mapped_column(primary_key=True)

    class PaidInvoice(Invoice):
        """Of the same table."""

    assert PaidInvoice.__table__ is Invoice.__table__ is db.metadata.tables["oauth2_invoice"]
    has_own_hook = make_db is on_a_base_with_a_hook_of_its_own
    assert Invoice.__table__.comment == ("made by the application" if has_own_hook else None)


def test_the_same_name_in_another_schema_or_database_is_no_clash():
    db = SQLAlchemy()
    PrivateKeyJWT(db)

    class InSchema(db.Model):
        __tablename__ = "oauth2_client"
        __table_args__ = {"schema": "other"}
        id: Mapped[int] = mapped_column(primary_key=True)

    class InDatabase(db.Model):
        __tablename__ = "oauth2_client"
        __bind_key__ = "other"
        id: Mapped[int] = mapped_column(primary_key=True)

    assert {"other.oauth2_client", "oauth2_client"} <= db.metadata.tables.keys()
    assert list(db.metadatas["other"].tables) == ["oauth2_client"]


def test_a_clash_is_seen_in_the_schema_of_the_application_too():
    db = SQLAlchemy(metadata=MetaData(schema="auth"))
    PrivateKeyJWT(db)

    with pytest.raises(ConfigurationError, match=CLASH):

        class OAuth2Client(db.Model):
            __tablename__ = "oauth2_client"
            id: Mapped[int] = mapped_column(primary_key=True)


# --- two of ours ----------------------------------------------------------------------------------------------
def test_two_servers_with_different_prefixes_share_a_database():
    db = SQLAlchemy()
    first, second = PrivateKeyJWT(db), PrivateKeyJWT(db, table_prefix="second_")

    engine = create_engine("sqlite://")
    db.metadata.create_all(engine)
    assert first.Client is not second.Client
    for name in ("oauth2_client", "second_client"):
        with pytest.raises(ConfigurationError, match=f"has a table {name} already"):
            type(f"Mine_{name}", (db.Model,), {"__tablename__": name, "id": db.Column(db.Integer, primary_key=True)})
    assert len(inspect(engine).get_table_names()) == 2 * len(TABLE_NAMES)
    engine.dispose()


def test_two_servers_with_one_prefix_are_refused():
    db = SQLAlchemy()
    PrivateKeyJWT(db, table_prefix="as_")

    with pytest.raises(ConfigurationError, match=r"has a table as_.* If both are ours, make one"):
        PrivateKeyJWT(db, table_prefix="as_")
