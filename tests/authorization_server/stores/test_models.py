"""The tables in an application's own metadata, and the model of a client."""

from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, MetaData, UniqueConstraint, create_engine, insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DatabaseError, InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column, relationship
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.schema import CreateTable

from flask_private_key_jwt.authorization_server.stores.tables.all_tables import build_tables
from flask_private_key_jwt.authorization_server.stores.tables.client import build_columns
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.replay.base import Mark, Replayed
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore
from tests.authorization_server.stores.example_client import build_client, public_values

CONVENTIONS = [
    {},
    {
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    },
    {
        "ck": "%(constraint_name)s_check",
        "pk": "%(table_name)s_pkey",
        "uq": "u_%(column_0_N_label)s",
        "ix": "i_%(column_0_label)s",
    },
]

CLIENT_SAMPLES = {"client_id": "console", "version": "v", "jwks": '{"keys": [{"kty": "OKP"}]}'}
KEY_SAMPLES = {
    "slot": 1,
    "kid": "k",
    "alg": "ES256",
    "public_jwk": "{}",
    "encrypted_private_jwk": "x",
    "created_at": 1,
    "signs_from": 1,
}


class Plain(DeclarativeBase):
    pass


class AsDataclass(MappedAsDataclass, DeclarativeBase):
    pass


class WithAnId(DeclarativeBase):
    id: Mapped[int] = mapped_column(primary_key=True)


def constraint_names(metadata: MetaData) -> set[str]:
    return {str(constraint.name) for table in metadata.tables.values() for constraint in table.constraints}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_constraints_have_the_same_names_whatever_the_applications_convention(convention):
    plain, other = SQLAlchemy(), SQLAlchemy(metadata=MetaData(naming_convention=convention))
    build_tables(plain)
    build_tables(other)

    assert constraint_names(other.metadata) == constraint_names(plain.metadata)
    assert "None" not in constraint_names(plain.metadata)
    engine = create_engine("sqlite://")
    other.metadata.create_all(engine)
    engine.dispose()


@pytest.mark.parametrize("base", [None, Plain, AsDataclass, WithAnId])
def test_the_model_is_the_same_whatever_the_applications_base_class(base):
    try:
        db = SQLAlchemy(**({} if base is None else {"model_class": base}))
    except InvalidRequestError:
        pytest.skip("this Flask-SQLAlchemy takes no dataclass as base on this SQLAlchemy")
    tables = build_tables(db)
    engine = create_engine("sqlite://")
    db.metadata.create_all(engine)

    with Session(engine) as session:
        session.add(tables.Client(**build_columns(build_client())))
        session.commit()
        assert public_values(session.scalars(select(tables.Client)).one().snapshot()) == public_values(build_client())
    engine.dispose()


def test_an_application_relates_its_own_tables_and_names_to_a_client():
    db = SQLAlchemy()
    tables = build_tables(db)

    class User(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)

    class Client(db.Model):
        """The application's own class of this name."""

        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
        registered_id: Mapped[int] = mapped_column(ForeignKey("oauth2_client.id"))
        user: Mapped[User] = relationship(User)
        registered: Mapped[Any] = relationship(tables.Client)

    engine = create_engine("sqlite://")
    db.metadata.create_all(engine)
    with Session(engine) as session:
        registered = tables.Client(**build_columns(build_client()))
        session.add(Client(user=User(), registered=registered))
        session.commit()
        assert session.scalars(select(Client)).one().registered.client_id == "console"
    engine.dispose()


def test_one_sqlalchemy_object_takes_the_tables_once():
    db = SQLAlchemy()
    build_tables(db)

    with pytest.raises(ConfigurationError, match="has a table oauth2_client already"):
        build_tables(db)


def test_tables_follow_the_schema_of_the_applications_metadata():
    db = SQLAlchemy(metadata=MetaData(schema="auth"))
    tables = build_tables(db)

    assert tables.replay.fullname == "auth.oauth2_replay"
    with pytest.raises(ConfigurationError, match="has a table oauth2_client already"):
        build_tables(db)


def test_the_replay_store_uses_the_schema_of_the_application(postgres_url, mark):
    db = SQLAlchemy(metadata=MetaData(schema="auth"))
    tables = build_tables(db)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA auth")
    db.metadata.create_all(engine)

    SQLAlchemyReplayStore(Database(lambda: engine), tables.replay).remember([mark()])
    with pytest.raises(Replayed):
        SQLAlchemyReplayStore(Database(lambda: engine), tables.replay).remember([mark()])

    with engine.begin() as connection:
        assert len(connection.execute(select(tables.replay)).all()) == 1
        connection.exec_driver_sql("DROP SCHEMA auth CASCADE")
    engine.dispose()


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"client_id": None},
        {"version": ""},
        {"enabled": None},
        {"jwks": ""},
        {"jwks": None},
        {"jwks": "{}"},
        {"jwks": '{"keys": []}'},
        {"jwks": '{"keys":[]}'},
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": ""},
        {"jwks_uri": "https://console.example/keys"},
        {"assertion_audience": "any"},
        {"assertion_audience": ""},
        {"client_metadata": ""},
        {"created_at": -1},
        {"updated_at": -1},
    ],
)
def test_the_database_refuses_a_client_that_must_never_be(sql_database, change):
    statement = insert(sql_database.tables.client)
    with pytest.raises(DatabaseError), sql_database.engine.begin() as connection:
        connection.execute(statement.values({**CLIENT_SAMPLES, **change}))

    with sql_database.engine.begin() as connection:
        connection.execute(statement.values(CLIENT_SAMPLES))


def test_the_database_refuses_a_second_client_of_the_same_id(sql_database):
    statement = insert(sql_database.tables.client).values(CLIENT_SAMPLES)
    with sql_database.engine.begin() as connection:
        connection.execute(statement)

    with pytest.raises(DatabaseError), sql_database.engine.begin() as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        {"slot": 0},
        {"kid": ""},
        {"alg": ""},
        {"public_jwk": ""},
        {"encrypted_private_jwk": ""},
        {"created_at": -1},
        {"signs_from": 0},
        {"retired_at": -1},
    ],
)
def test_the_database_refuses_a_server_key_that_must_never_be(sql_database, change):
    statement = insert(sql_database.tables.server_key)
    with pytest.raises(DatabaseError), sql_database.engine.begin() as connection:
        connection.execute(statement.values({**KEY_SAMPLES, **change}))

    with sql_database.engine.begin() as connection:
        connection.execute(statement.values(KEY_SAMPLES))


@pytest.mark.parametrize("change", [{"digest": b"x" * 33}, {"digest": None}, {"expires_at": -1}, {"expires_at": None}])
def test_the_database_refuses_a_mark_that_must_never_be(sql_database, change):
    statement = insert(sql_database.tables.replay)
    with pytest.raises(DatabaseError), sql_database.engine.begin() as connection:
        connection.execute(statement.values({"digest": b"x" * 32, "expires_at": 1, **change}))

    with sql_database.engine.begin() as connection:
        connection.execute(statement.values({"digest": b"x" * 32, "expires_at": 1}))


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect(), sqlite.dialect()])
def test_every_table_can_be_written_for_every_dialect(dialect):
    db = SQLAlchemy()
    tables = build_tables(db)

    for table in (tables.client, tables.server_key, tables.replay):
        assert "CREATE TABLE oauth2_" in str(CreateTable(table).compile(dialect=dialect))


@pytest.mark.parametrize(
    ("dialect", "piece"),
    [
        (mysql.dialect(), "digest BINARY(32)"),
        (sqlite.dialect(), "WITHOUT ROWID"),
        (postgresql.dialect(), "digest BYTEA"),
    ],
)
def test_a_mark_is_one_entry_in_one_tree(dialect, piece):
    table = build_tables(SQLAlchemy()).replay

    assert piece in str(CreateTable(table).compile(dialect=dialect))
    assert not table.indexes
    assert not any(isinstance(constraint, UniqueConstraint) for constraint in table.constraints)


def test_long_values_are_kept_whole(sql_database):
    jwks = {"keys": [{"kty": "RSA", "n": "x" * 700, "x5c": ["M" * 8000]}] * 20}
    client = build_client(
        "c" * 255,
        jwks=jwks,
        owner="ö" * 255,
        client_name="𝄞" * 2000,
        scope=frozenset(f"scope-{number}" for number in range(1000)),
        metadata={"software_statement": "s" * 100_000},
    )
    with sql_database.engine.begin() as connection:
        connection.execute(insert(sql_database.tables.client).values(build_columns(client)))

    with Session(sql_database.engine) as session:
        stored = session.scalars(select(sql_database.tables.Client)).one()
        assert public_values(stored.snapshot()) == public_values(client)


def test_an_edit_through_a_session_makes_a_new_version(sql_database, clock):
    with Session(sql_database.engine) as session:
        client = sql_database.tables.Client(**build_columns(build_client()))
        session.add(client)
        session.commit()
        first, created = client.version, client.created_at
        clock.move(5)
        client.enabled = False
        session.commit()

        assert len(first) == len(client.version) == 32
        assert client.version != first
        assert (client.created_at, client.updated_at) == (created, created + 5)


def test_a_session_that_changes_nothing_keeps_the_version(sql_database):
    with Session(sql_database.engine) as session:
        client = sql_database.tables.Client(**build_columns(build_client()))
        session.add(client)
        session.commit()
        first = client.version
        client.enabled = True
        session.commit()

        assert client.version == first


@pytest.mark.parametrize("target", ["Client", "client"])
def test_an_update_statement_makes_a_new_version(sql_database, target):
    with Session(sql_database.engine) as session:
        client = sql_database.tables.Client(**build_columns(build_client()))
        session.add(client)
        session.commit()
        first = client.version

        session.execute(update(getattr(sql_database.tables, target)).values(enabled=False))
        session.commit()

        assert not client.enabled
        assert client.version != first


def test_of_two_edits_at_once_the_second_is_refused(sql_database):
    model = sql_database.tables.Client
    with Session(sql_database.engine) as session:
        session.add(model(**build_columns(build_client())))
        session.commit()
    with (
        Session(sql_database.engine, expire_on_commit=False) as one,
        Session(sql_database.engine, expire_on_commit=False) as other,
    ):
        mine, theirs = one.scalars(select(model)).one(), other.scalars(select(model)).one()
        one.commit()
        other.commit()
        mine.scope, theirs.enabled = "read", False
        one.commit()
        with pytest.raises(StaleDataError):
            other.commit()


@pytest.mark.parametrize("client_id", ["", "é", "a\x00", "x" * 256])
def test_the_model_refuses_a_client_id_that_no_request_could_name(sqlite_database, client_id):
    with pytest.raises(ValueError, match="printable ASCII"):
        sqlite_database.tables.Client(client_id=client_id)


def test_the_model_refuses_a_column_it_does_not_have(sqlite_database):
    with pytest.raises(TypeError, match="'client_secret'"):
        sqlite_database.tables.Client(client_id="console", client_secret="x")


# --- members in client_metadata ------------------------------------------------------------------------------
def test_the_model_reads_every_member_as_json_has_it(sqlite_database):
    client = sqlite_database.tables.Client(**build_columns(build_client()))

    assert client.client_name == "Kónsole 𝄞"
    assert client.scope == "admin read write"
    assert client.grant_types == ["client_credentials", "refresh_token"]
    assert client.redirect_uris == ["https://app.example/callback", "com.example.app:/callback"]
    assert (client.default_max_age, client.require_auth_time) == (0, True)
    assert client.contacts == ["ops@example.com"]


def test_the_model_reads_what_the_absence_of_a_member_means(sqlite_database):
    client = sqlite_database.tables.Client(client_id="console", jwks="{}")

    assert (client.client_name, client.default_max_age, client.contacts) == (None, None, None)
    assert (client.scope, client.redirect_uris, client.require_auth_time) == ("", [], False)
    assert client.grant_types == ["client_credentials"]


def test_a_member_that_is_set_is_kept_and_makes_a_new_version(sql_database):
    with Session(sql_database.engine) as session:
        client = sql_database.tables.Client(**build_columns(build_client()))
        session.add(client)
        session.commit()
        first = client.version

        client.redirect_uris = ["https://app.example/new"]
        client.client_name = None
        session.commit()

        assert client.version != first
        found = client.snapshot()
    assert (found.redirect_uris, found.client_name) == (("https://app.example/new",), None)
    assert found.scope == build_client().scope


def test_a_client_is_made_of_members(sql_database):
    jwks = build_columns(build_client())["jwks"]
    with Session(sql_database.engine) as session:
        session.add(sql_database.tables.Client(scope="read", client_id="console", jwks=jwks, client_name="Console"))
        session.commit()
        found = session.scalars(select(sql_database.tables.Client)).one().snapshot()

    assert (found.scope, found.client_name, found.grant_types) == ({"read"}, "Console", {"client_credentials"})


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("redirect_uris", "https://app.example/", "redirect_uris is not a list of strings"),
        ("scope", ["read"], "scope is not a string of scopes with spaces between"),
        ("require_auth_time", "yes", "require_auth_time is not true or false"),
        ("default_max_age", 1.5, "default_max_age is not a whole number of seconds"),
    ],
)
def test_a_member_of_another_type_is_not_set(sqlite_database, name, value, fault):
    client = sqlite_database.tables.Client(client_id="console", client_name="Console")
    before = client.client_metadata

    with pytest.raises(ValueError, match=fault):
        setattr(client, name, value)
    assert client.client_metadata == before


def test_metadata_that_cannot_be_read_is_not_written_over(sqlite_database):
    client = sqlite_database.tables.Client(client_id="console", client_metadata="damaged")

    with pytest.raises(ValueError, match="client_metadata is not a JSON object"):
        client.client_name = "Console"
    assert client.client_metadata == "damaged"
    assert (client.client_name, client.grant_types) == (None, None)


def test_sql_cannot_look_for_a_member_and_says_so(sqlite_database):
    with pytest.raises(AttributeError, match="scope is a member in client_metadata, and no column"):
        select(sqlite_database.tables.Client).where(sqlite_database.tables.Client.scope == "read")


def test_a_client_is_shown_by_its_id_and_without_its_keys(sqlite_database):
    client = sqlite_database.tables.Client(client_id="console", jwks="{}", enabled=False)
    assert repr(client) == "<Client 'console', disabled>"

    client.enabled = True
    assert repr(client) == "<Client 'console'>"


def test_an_owner_with_a_nul_cannot_move_into_the_jti():
    """A client_id holds no NUL, so the digest's separator stays one."""
    with pytest.raises(ValueError, match="printable ASCII"):
        build_tables(SQLAlchemy()).Client(client_id="a\x00b")
    assert Mark("p", "s", "a", "b", 0, 0).digest() != Mark("p", "s", "ab", "", 0, 0).digest()
