"""The tables of what people allow: pushed requests, codes, refresh tokens, consents, revocations.

Every value that a caller shows us is stored as its SHA-256, so nobody who reads the database can use it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.elements import conv

from ....database.columns import CHARSET, DIGEST, named_check
from ...registered_client import MAX_CLIENT_ID_CHARACTERS

_LONG = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

GRANT_TABLE_NAMES = (
    "pushed_request",
    "authorization_code",
    "refresh_token",
    "consent",
    "revocation",
)
"""Without the prefix that all tables of an application have."""


@dataclass(frozen=True, slots=True)
class GrantTables:
    """The tables that :func:`build_grant_tables` makes."""

    pushed_request: Table
    authorization_code: Table
    refresh_token: Table
    consent: Table
    revocation: Table


def build_grant_tables(metadata: MetaData, prefix: str) -> GrantTables:
    """Add the tables to *metadata*; their names start with *prefix*."""
    return GrantTables(
        pushed_request=_build_pushed_request(metadata, f"{prefix}pushed_request"),
        authorization_code=_build_authorization_code(metadata, f"{prefix}authorization_code"),
        refresh_token=_build_refresh_token(metadata, f"{prefix}refresh_token"),
        consent=_build_consent(metadata, f"{prefix}consent"),
        revocation=_build_revocation(metadata, f"{prefix}revocation"),
    )


def _build_pushed_request(metadata: MetaData, name: str) -> Table:
    """Authorization requests that clients pushed (RFC 9126)."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS), nullable=False),
        Column("parameters", _LONG, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("used_at", BigInteger),
        # The quota that it counts against, of a client or an address; NULL: the row is older than the quotas.
        Column("pushed_by", DIGEST),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "times", "expires_at >= 0 AND used_at >= 0"),
        Index(conv(f"ix_{name}_pushed_by"), "pushed_by", "expires_at"),
        # Each push deletes the client's requests that can no longer be used.
        Index(conv(f"ix_{name}_client_id"), "client_id"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_authorization_code(metadata: MetaData, name: str) -> Table:
    """Authorization codes, and everything they are bound to (RFC 6749 §4.1.2)."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        *_granted(),
        Column("redirect_uri", Text, nullable=False),
        Column("code_challenge", String(128), nullable=False),
        Column("dpop_jkt", String(64)),
        Column("nonce", Text),
        Column("expires_at", BigInteger, nullable=False),
        Column("used_at", BigInteger),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "code_challenge", "code_challenge <> ''"),
        named_check(name, "times", "expires_at >= 0 AND used_at >= 0"),
        Index(conv(f"ix_{name}_subject"), "subject"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_refresh_token(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        *_granted(),
        Column("dpop_jkt", String(64)),
        Column("dpop_bound", Boolean, nullable=False),
        Column("idle_until", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("used_at", BigInteger),
        # When its grant last gave an access token; NULL: never since this column is there.
        Column("last_used_at", BigInteger),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "times", "idle_until >= 0 AND expires_at >= 0 AND used_at >= 0"),
        Index(conv(f"ix_{name}_grant_id"), "grant_id"),
        Index(conv(f"ix_{name}_subject"), "subject"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_consent(metadata: MetaData, name: str) -> Table:
    """What a person has allowed a client, so that they are asked only once."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS), nullable=False),
        Column("subject", String(255), nullable=False),
        Column("scope", Text, nullable=False),
        Column("resources", Text, nullable=False),
        Column("given_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "given_at", "given_at >= 0"),
        Index(conv(f"ix_{name}_subject"), "subject"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_revocation(metadata: MetaData, name: str) -> Table:
    """What was revoked: access tokens are not stored (RFC 9068), their revocations are."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        # NULL: every token of that name is revoked; otherwise only those issued up to then.
        Column("issued_until", BigInteger),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "expires_at", "expires_at >= 0"),
    )


def _granted() -> list[Column[Any]]:
    """The columns of :class:`..granted.Granted`."""
    return [
        Column("grant_id", String(64), nullable=False),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS), nullable=False),
        Column("subject", String(255), nullable=False),
        Column("scope", Text, nullable=False),
        Column("resources", Text, nullable=False),
        Column("auth_time", BigInteger),
        # NULL: the row is older than the column.
        Column("granted_at", BigInteger),
        # NULL: no key of the client's signed the request, or the row is older than the column.
        Column("client_jkt", String(64)),
    ]
