"""What time it is by the clock of a database's server."""

from typing import Any

from sqlalchemy import Engine, Select, literal_column, select

_CLOCKS = {
    "postgresql": "extract(epoch from clock_timestamp())",
    "mysql": "unix_timestamp(sysdate(6))",
    "mariadb": "unix_timestamp(sysdate(6))",
}
"""Dialect -> the expression that gives its time in seconds since the epoch. SQLite has the clock of this machine."""
_STATEMENTS: dict[str, Select[Any]] = {name: select(literal_column(expression)) for name, expression in _CLOCKS.items()}


def find_clock(engine: Engine) -> Select[Any] | None:
    """The statement that reads the clock, in seconds since the epoch; ``None`` if there is none to read."""
    return _STATEMENTS.get(engine.dialect.name)
