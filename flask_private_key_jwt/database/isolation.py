"""How our statements are committed, whatever isolation level the application has given its engine."""

from sqlalchemy.engine import Connection

_AUTOCOMMIT = "AUTOCOMMIT"


def commit_each(connection: Connection) -> None:
    """Let each statement on *connection* be a transaction by itself, where that is cheaper.

    On PostgreSQL it saves BEGIN and COMMIT, two of three round trips. SQLite would gain nothing, and MySQL has to ask
    the server for the switch.
    """
    if connection.dialect.name == "postgresql":
        _switch(connection, _AUTOCOMMIT)


def commit_together(connection: Connection) -> None:
    """Let *connection* begin real transactions: several statements of ours are written together, or none of them,
    even where the application commits each of its own."""
    engine = connection.engine
    # What create_engine() was given, SQLAlchemy tells only here.
    on_connect = getattr(engine.dialect, "_on_connect_isolation_level", None)
    if engine.get_execution_options().get("isolation_level", on_connect) == _AUTOCOMMIT:
        _switch(connection, engine.dialect.default_isolation_level)


def _switch(connection: Connection, level: str | None) -> None:
    connection.connection.commit()  # what a "connect" listener of the application may have begun
    # An option of this connection only: one of the engine's is a listener, and Core is slower with any.
    connection.execution_options(isolation_level=level)
