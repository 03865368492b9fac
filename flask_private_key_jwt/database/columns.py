"""Kinds of columns and constraints that every table of ours uses, on every database."""

from typing import TYPE_CHECKING

from sqlalchemy import (
    CheckConstraint,
    LargeBinary,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.elements import conv

if TYPE_CHECKING:
    pass


# A JWK Set with certificates outgrows the 64 KiB of MySQL's TEXT.
JSON_TEXT = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


DIGEST = LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


# MariaDB's own default is latin1 to this day.
CHARSET = "utf8mb4"


def named_check(table: str, what: str, condition: str) -> CheckConstraint:
    """A constraint of this *table* whose name no naming convention of the application changes."""
    return CheckConstraint(condition, name=conv(f"ck_{table}_{what}"))
