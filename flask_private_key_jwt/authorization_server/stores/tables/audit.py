"""The tables of the audit trail: its rows, and one row that says where the chain ends."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Integer, MetaData, PrimaryKeyConstraint, String, Table
from sqlalchemy.sql.elements import conv

from ....database.columns import CHARSET, DIGEST, JSON_TEXT, named_check
from ...registered_client import MAX_CLIENT_ID_CHARACTERS

AUDIT_TABLE_NAMES = ("audit", "audit_head")
"""Without the prefix that all tables of an application have."""
MAX_SUBJECT_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class AuditTables:
    """The tables that :func:`build_audit_tables` makes."""

    audit: Table
    audit_head: Table


def build_audit_tables(metadata: MetaData, prefix: str) -> AuditTables:
    """Add the tables to *metadata*; their names start with *prefix*."""
    return AuditTables(_build_audit(metadata, f"{prefix}audit"), _build_head(metadata, f"{prefix}audit_head"))


def _build_audit(metadata: MetaData, name: str) -> Table:
    """One row for each event. No index but the key: rows are only added, and a reader verifies all of them."""
    return Table(
        name,
        metadata,
        Column("number", BigInteger, autoincrement=False),
        Column("recorded_at", BigInteger, nullable=False),
        Column("event", String(64), nullable=False),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS)),
        Column("subject", String(MAX_SUBJECT_CHARACTERS)),
        Column("details", JSON_TEXT, nullable=False),
        Column("previous", DIGEST, nullable=False),
        Column("mac", DIGEST, nullable=False),
        PrimaryKeyConstraint("number", name=conv(f"pk_{name}")),
        named_check(name, "number", "number >= 1"),
        named_check(name, "event", "event <> ''"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_head(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("slot", Integer, autoincrement=False),
        Column("number", BigInteger, nullable=False),
        Column("mac", DIGEST, nullable=False),
        PrimaryKeyConstraint("slot", name=conv(f"pk_{name}")),
        named_check(name, "slot", "slot = 1"),
        named_check(name, "number", "number >= 0"),
    )
