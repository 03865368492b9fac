"""The tables, as part of the application's own metadata.

Every constraint has its final name, so the application's naming convention does not change it and its migrations can
name it. A constraint refuses what must never be in the table, whoever writes it: a view, a shell, ``psql``.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import registry
from sqlalchemy.sql.elements import conv

from ....database.columns import CHARSET, DIGEST, JSON_TEXT, named_check
from ....replay.table import build_replay_table
from ...registered_client import MAX_CLIENT_ID_CHARACTERS
from .audit import AUDIT_TABLE_NAMES, AuditTables, build_audit_tables
from .client import ClientModel, build_client_table, new_version
from .grants import GRANT_TABLE_NAMES, GrantTables, build_grant_tables
from .names import check_prefix, claim_names

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

TABLE_PREFIX = "oauth2_"
_NAMES = (
    "client",
    "client_key",
    "client_secret",
    "fetched_document",
    "registration_token",
    "server_key",
    "replay",
    "counter",
    "refusal",
    *GRANT_TABLE_NAMES,
    *AUDIT_TABLE_NAMES,
)
TABLE_NAMES = tuple(f"{TABLE_PREFIX}{name}" for name in _NAMES)
"""The names of the tables with the default prefix."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What :func:`build_tables` makes: the Core tables and the mapped client."""

    client: Table
    client_key: Table
    client_secret: Table
    fetched_document: Table
    registration_token: Table
    server_key: Table
    replay: Table
    counter: Table
    refusal: Table
    granted: GrantTables
    trail: AuditTables
    Client: type[ClientModel]

    @property
    def all(self) -> tuple[Table, ...]:
        """Every table."""
        groups = (self, self.granted, self.trail)
        parts = (getattr(group, field.name) for group in groups for field in fields(group))
        return tuple(part for part in parts if isinstance(part, Table))


def build_tables(db: "SQLAlchemy", *, prefix: str = TABLE_PREFIX) -> Tables:
    """Add the tables to ``db.metadata``, where the application's own migrations find them.

    :param prefix: The beginning of all names: of tables, constraints and indexes.
    :raises ConfigurationError: *db* has a table with one of these names already, or *prefix* is not valid.
    """
    claim_names(db, check_prefix(prefix), _NAMES)
    client = build_client_table(db.metadata, f"{prefix}client")
    # A registry of its own: the application may have a class named Client too, and its model_class (a dataclass, for
    # example) does not change this one.
    model: type[ClientModel] = type("Client", (ClientModel,), {"__doc__": ClientModel.__doc__})
    registry(metadata=db.metadata).map_imperatively(
        model, client, version_id_col=client.c.version, version_id_generator=lambda _old: new_version()
    )
    return Tables(
        client=client,
        client_key=_build_client_key_table(db.metadata, f"{prefix}client_key"),
        client_secret=_build_client_secret_table(db.metadata, f"{prefix}client_secret"),
        fetched_document=_build_fetched_document_table(db.metadata, f"{prefix}fetched_document"),
        registration_token=_build_registration_token_table(db.metadata, f"{prefix}registration_token"),
        server_key=_build_server_key_table(db.metadata, f"{prefix}server_key"),
        replay=build_replay_table(db.metadata, f"{prefix}replay"),
        counter=_build_counter_table(db.metadata, f"{prefix}counter"),
        refusal=_build_refusal_table(db.metadata, f"{prefix}refusal"),
        granted=build_grant_tables(db.metadata, prefix),
        trail=build_audit_tables(db.metadata, prefix),
        Client=model,
    )


def _build_client_key_table(metadata: MetaData, name: str) -> Table:
    """When each key of a client was added and when it last signed: for people, not for verification."""
    return Table(
        name,
        metadata,
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS)),
        Column("thumbprint", String(64)),
        Column("added_at", BigInteger, nullable=False),
        Column("last_used_at", BigInteger),
        PrimaryKeyConstraint("client_id", "thumbprint", name=conv(f"pk_{name}")),
        named_check(name, "names", "client_id <> '' AND thumbprint <> ''"),
        named_check(name, "times", "added_at >= 0 AND last_used_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_client_secret_table(metadata: MetaData, name: str) -> Table:
    """Secrets that the operator gave to clients: an HMAC of each, or its octets encrypted."""
    return Table(
        name,
        metadata,
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS)),
        Column("name", String(32)),
        Column("method", String(48), nullable=False),
        Column("kept", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        # NULL: only OAUTH2_CLIENT_SECRETS_UNTIL decides.
        Column("expires_at", BigInteger),
        Column("last_used_at", BigInteger),
        PrimaryKeyConstraint("client_id", "name", name=conv(f"pk_{name}")),
        named_check(name, "names", "client_id <> '' AND name <> '' AND method <> '' AND kept <> ''"),
        named_check(name, "times", "created_at >= 0 AND expires_at >= 0 AND last_used_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_fetched_document_table(metadata: MetaData, name: str) -> Table:
    """Documents that clients publish (``jwks_uri``), as last fetched by any worker."""
    return Table(
        name,
        metadata,
        Column("url_digest", DIGEST),
        Column("url", Text, nullable=False),
        Column("body", JSON_TEXT),
        Column("fetched_at", BigInteger, nullable=False, default=0),
        Column("fresh_until", BigInteger, nullable=False, default=0),
        Column("attempted_at", BigInteger, nullable=False, default=0),
        Column("failed_at", BigInteger, nullable=False, default=0, server_default="0"),
        PrimaryKeyConstraint("url_digest", name=conv(f"pk_{name}")),
        named_check(name, "url", "url <> ''"),
        named_check(name, "times", "fetched_at >= 0 AND fresh_until >= 0 AND attempted_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_registration_token_table(metadata: MetaData, name: str) -> Table:
    """Initial access tokens of dynamic registration (RFC 7591 §3), as hashes."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("label", String(255), nullable=False, default=""),
        Column("uses_left", Integer, nullable=False),
        Column("may_choose_client_id", Boolean, nullable=False, default=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "uses_left", "uses_left >= 0"),
        named_check(name, "times", "created_at >= 0 AND expires_at >= created_at"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_server_key_table(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("slot", Integer, autoincrement=False),
        Column("kid", String(255), nullable=False),
        Column("alg", String(16), nullable=False),
        Column("public_jwk", Text, nullable=False),
        Column("encrypted_private_jwk", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("signs_from", BigInteger, nullable=False),
        Column("retired_at", BigInteger),
        Column("version", BigInteger, nullable=False, server_default="0"),
        PrimaryKeyConstraint("slot", name=conv(f"pk_{name}")),
        UniqueConstraint("kid", name=conv(f"uq_{name}_kid")),
        named_check(name, "slot", "slot >= 1"),
        named_check(name, "names", "kid <> '' AND alg <> ''"),
        named_check(name, "jwk", "public_jwk <> '' AND encrypted_private_jwk <> ''"),
        named_check(name, "times", "created_at >= 0 AND signs_from >= created_at AND retired_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_counter_table(metadata: MetaData, name: str) -> Table:
    """Counters: the hash of a counter's name, and its count."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("counted", Integer, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "counted", "counted >= 1"),
        named_check(name, "expires_at", "expires_at >= 0"),
    )


def _build_refusal_table(metadata: MetaData, name: str) -> Table:
    """What the references of refused requests stand for."""
    return Table(
        name,
        metadata,
        Column("reference", String(32)),
        Column("refused_at", BigInteger, nullable=False),
        Column("endpoint", String(48), nullable=False),
        Column("error", String(64), nullable=False),
        Column("cause", String(100), nullable=False),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS)),
        Column("address", String(100), nullable=False),
        Column("reason", Text, nullable=False),
        Column("details", Text),
        PrimaryKeyConstraint("reference", name=conv(f"pk_{name}")),
        named_check(name, "refused_at", "refused_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )
