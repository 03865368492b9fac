"""How our statements are committed, independent of the isolation level of the application's engine."""

from sqlalchemy.engine import Connection

_AUTOCOMMIT = "AUTOCOMMIT"


def commit_each(connection: Connection) -> None:
    """Let each statement on *connection* be a transaction, if that is cheaper.

    On PostgreSQL this saves BEGIN and COMMIT, two of three round trips. SQLite would gain nothing, and on MySQL the
    switch itself costs a round trip.
    """
    if connection.dialect.name == "postgresql":
        _switch(connection, _AUTOCOMMIT)


def commit_together(connection: Connection) -> None:
    """Let *connection* use real transactions, so that several statements are committed together or not at all, even if
    the application's engine is in autocommit mode."""
    engine = connection.engine
    # SQLAlchemy keeps the isolation level of create_engine() only here.
    on_connect = getattr(engine.dialect, "_on_connect_isolation_level", None)
    if engine.get_execution_options().get("isolation_level", on_connect) == _AUTOCOMMIT:
        _switch(connection, engine.dialect.default_isolation_level)


def _switch(connection: Connection, level: str | None) -> None:
    connection.connection.commit()  # a "connect" listener of the application may have begun a transaction
    # Set on this connection only: an option of the engine is a listener, and any listener makes Core slower.
    connection.execution_options(isolation_level=level)
