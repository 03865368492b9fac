"""The table of used marks, in the application's metadata or in that of a separate replay database."""

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    PrimaryKeyConstraint,
    Table,
)
from sqlalchemy.sql.elements import conv

from ..database.columns import DIGEST, named_check


def build_replay_table(metadata: MetaData, name: str = "oauth2_replay") -> Table:
    """Add the table of used marks to *metadata*: the application's, or that of a separate replay database.

    The table has only one B-tree: a second index, or SQLite's hidden rowid, would double the cost of every write.
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
