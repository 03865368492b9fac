"""The table of used marks: part of the application's metadata, or of a replay database's own."""

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    PrimaryKeyConstraint,
    Table,
)
from sqlalchemy.sql.elements import conv

from ..database.columns import DIGEST, named_check

if TYPE_CHECKING:
    pass


def build_replay_table(metadata: MetaData, name: str = "oauth2_replay") -> Table:
    """Add the table of used marks to *metadata*: the application's, or a replay database's own.

    One B-tree: a second index, or SQLite's hidden rowid, would double the cost of every request's write.
    """
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "digest", "length(digest) = 32"),
        named_check(name, "expires_at", "expires_at >= 0"),
        sqlite_with_rowid=False,
    )
