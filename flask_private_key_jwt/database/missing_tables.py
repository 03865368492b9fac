"""Tell a database that lacks our tables or columns from one that is away: an upgrade is missing, not the database."""

ADVICE = "tables or columns are missing: run `flask db upgrade`"
"""What the operator has to do then; an application without migrations calls ``db.create_all()`` instead."""

_SQLITE = ("no such table", "no such column", "has no column named")
_SQLSTATES = ("42P01", "42703", "42S02", "42S22")
"""Undefined table and column: PostgreSQL's own codes, and those of the SQL standard's ODBC part."""
_MYSQL = (1146, 1054)
"""``ER_NO_SUCH_TABLE`` and ``ER_BAD_FIELD_ERROR`` of MySQL and MariaDB."""


def is_about_missing_tables(error: BaseException) -> bool:
    """Whether a driver's *error* says that a table or a column does not exist.

    Drivers agree on no attribute, so each one's own is looked at: ``sqlstate`` (psycopg, mariadb), ``pgcode``
    (psycopg2), the first argument (PyMySQL, mysqlclient; pg8000 puts a dictionary there), and SQLite's sentence.
    """
    first = error.args[0] if error.args else None
    if type(error).__module__ == "sqlite3":
        return isinstance(first, str) and any(words in first for words in _SQLITE)
    if isinstance(first, dict):
        first = first.get("C")
    codes = [getattr(error, name, None) for name in ("sqlstate", "pgcode", "errno")]
    return any(code in _SQLSTATES or code in _MYSQL for code in (*codes, first) if isinstance(code, (str, int)))
