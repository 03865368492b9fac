"""Column types and constraints that all tables of this package use, on every database."""

from sqlalchemy import CheckConstraint, LargeBinary, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.elements import conv

# A JWK Set with certificates can be larger than the 64 KiB of MySQL's TEXT.
JSON_TEXT = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


DIGEST = LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


# MariaDB's default may be latin1.
CHARSET = "utf8mb4"


def named_check(table: str, what: str, condition: str) -> CheckConstraint:
    """A constraint of *table* whose name the application's naming convention does not change."""
    return CheckConstraint(condition, name=conv(f"ck_{table}_{what}"))
