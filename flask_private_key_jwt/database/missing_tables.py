"""Distinguish a database without our tables or columns, which needs an upgrade, from one that does not answer."""

ADVICE = "tables or columns are missing: run `flask db upgrade`"
"""What the operator must do; an application without migrations calls ``db.create_all()`` instead."""

_SQLITE = ("no such table", "no such column", "has no column named")
_SQLSTATES = ("42P01", "42703", "42S02", "42S22")
"""Undefined table and column: PostgreSQL's own codes, and those of the SQL standard's ODBC part."""
_MYSQL = (1146, 1054)
"""``ER_NO_SUCH_TABLE`` and ``ER_BAD_FIELD_ERROR`` of MySQL and MariaDB."""


def is_about_missing_tables(error: BaseException) -> bool:
    """Whether a driver's *error* says that a table or a column does not exist.

    Each driver has its own attribute: ``sqlstate`` (psycopg, mariadb), ``pgcode`` (psycopg2), the first argument
    (PyMySQL, mysqlclient; a dictionary in pg8000). SQLite has only its message.
    """
    first = error.args[0] if error.args else None
    if type(error).__module__ == "sqlite3":
        return isinstance(first, str) and any(words in first for words in _SQLITE)
    if isinstance(first, dict):
        first = first.get("C")
    codes = [getattr(error, name, None) for name in ("sqlstate", "pgcode", "errno")]
    return any(code in _SQLSTATES or code in _MYSQL for code in (*codes, first) if isinstance(code, (str, int)))
