"""The columns that members of a client had before they moved to ``client_metadata``, and how a migration moves them.

This code must not change with the rest of the package: an old migration has to do what it always did.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ....database.columns import JSON_TEXT
from ....database.database import Database
from ....errors import StoreUnavailable

if TYPE_CHECKING:
    from alembic.operations import Operations

ADVICE = (
    "the client table still has the columns of a former version: in the migration that drops them, call "
    "gather_client_metadata(op) in place of it (docs/upgrading.md)"
)
"""What the operator has to do if the table still has these columns."""

_ROWS = 500
"""How many rows are read at a time."""


@dataclass(frozen=True, slots=True)
class _Former:
    """A column as it was, and how its values are converted to JSON and back."""

    type: sa.types.TypeEngine[Any]
    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]
    absent: Any = None
    """The column's value if the member is absent; ``None``: the column may be NULL."""
    server_default: Any = None


def _as_it_is(value: Any) -> Any:
    return value


def _split(value: str) -> list[str]:
    return value.split()


def _join(value: list[str]) -> str:
    return " ".join(value)


def _one_space_between(value: str) -> str:
    return " ".join(value.split())


def _flag(**options: Any) -> _Former:
    return _Former(sa.Boolean(), bool, bool, absent=False, **options)


FORMER_COLUMNS: Mapping[str, _Former] = {
    "client_name": _Former(sa.Text(), _as_it_is, _as_it_is),
    "token_endpoint_auth_signing_alg": _Former(sa.String(16), _as_it_is, _as_it_is),
    "grant_types": _Former(sa.Text(), _split, _join, absent=""),
    "scope": _Former(sa.Text(), _one_space_between, _as_it_is, absent=""),
    "default_scope": _Former(sa.Text(), _one_space_between, _as_it_is, absent=""),
    "redirect_uris": _Former(JSON_TEXT, _split, _join, absent=""),
    "require_pushed_authorization_requests": _flag(),
    "require_signed_request_object": _flag(server_default=sa.false()),
    "request_object_signing_alg": _Former(sa.String(16), _as_it_is, _as_it_is),
    "post_logout_redirect_uris": _Former(JSON_TEXT, _split, _join),
    "default_max_age": _Former(sa.BigInteger(), _as_it_is, _as_it_is),
    "require_auth_time": _flag(server_default=sa.false()),
    "introspection_resources": _Former(sa.Text(), _split, _join),
}
"""Name of the column, which is also the name of the member -> the column as it was."""


def gather_client_metadata(op: "Operations", *, table_prefix: str = "oauth2_", schema: str | None = None) -> None:
    """Move the values of former columns into ``client_metadata``, and drop the columns: for ``upgrade()``.

    Use it instead of the lines that ``flask db migrate`` writes: they would drop these columns with their values. If a
    run was interrupted, the next run continues it.

    :param op: Alembic's ``op``.
    :param table_prefix: The ``table_prefix`` of the application's ``PrivateKeyJWT``.
    :param schema: The schema of the tables, if they are in one.
    :raises ValueError: A client's ``client_metadata`` is not a JSON object; nothing was dropped.
    """
    name, connection = f"{table_prefix}client", _connect(op)
    found = _find_columns(connection, name, schema)
    former = {column: kind for column, kind in FORMER_COLUMNS.items() if column in found}
    table = _table(name, schema, former)
    for row in _rows(connection, table) if former else ():
        values = {column: getattr(row, column) for column in former}
        members = {column: former[column].to_json(value) for column, value in values.items() if _is_set(value)}
        if "grant_types" in former:
            members.setdefault("grant_types", [])
        _keep(connection, table, row, {"client_metadata": json.dumps({**_load(row), **members})})
    for column in former:
        op.drop_column(name, column, schema=schema)


def spread_client_metadata(op: "Operations", *, table_prefix: str = "oauth2_", schema: str | None = None) -> None:
    """Add the former columns again and move the values back there: for ``downgrade()``.

    :param op: Alembic's ``op``.
    :param table_prefix: The ``table_prefix`` of the application's ``PrivateKeyJWT``.
    :param schema: The schema of the tables, if they are in one.
    :raises ValueError: A client's ``client_metadata`` is not a JSON object.
    """
    name, connection = f"{table_prefix}client", _connect(op)
    found = _find_columns(connection, name, schema)
    is_sqlite = connection.dialect.name == "sqlite"
    for column, former in FORMER_COLUMNS.items():
        if column not in found:
            op.add_column(name, _build_again(column, former, fills_itself=is_sqlite), schema=schema)
    table = _table(name, schema, FORMER_COLUMNS)
    for row in _rows(connection, table):
        members = _load(row)
        values = {column: former.absent for column, former in FORMER_COLUMNS.items()}
        for column in FORMER_COLUMNS.keys() & members.keys():
            values[column] = FORMER_COLUMNS[column].from_json(members.pop(column))
        _keep(connection, table, row, {**values, "client_metadata": json.dumps(members)})
    if not is_sqlite:
        for column, former in FORMER_COLUMNS.items():
            if former.absent is not None:
                op.alter_column(
                    name,
                    column,
                    nullable=False,
                    existing_type=former.type,
                    existing_server_default=former.server_default,
                    schema=schema,
                )


def check_gathered(database: Database, table: sa.Table) -> None:
    """Refuse a table that still has former columns, because their values would be ignored.

    :raises StoreUnavailable: The table has such columns, or the database did not answer.
    """
    with database.begin() as connection:
        found = _find_columns(connection, table.name, table.schema)
    if found & FORMER_COLUMNS.keys():
        raise StoreUnavailable(f"database: {ADVICE}", cause="database_not_migrated")


def _connect(op: "Operations") -> sa.Connection:
    if op.get_context().as_sql:
        raise ValueError("clients are read and written one by one: run this migration without --sql")
    return op.get_bind()


def _find_columns(connection: sa.Connection, name: str, schema: str | None) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(name, schema)}


def _table(name: str, schema: str | None, former: Mapping[str, _Former]) -> sa.TableClause:
    columns = [sa.column(column, kind.type) for column, kind in former.items()]
    always = (
        sa.column("id", sa.Integer()),
        sa.column("client_id", sa.String()),
        sa.column("client_metadata", JSON_TEXT),
    )
    return sa.table(name, *always, *columns, schema=schema)


def _rows(connection: sa.Connection, table: sa.TableClause) -> Iterator[Any]:
    last = -1
    while True:
        some = sa.select(table).where(table.c.id > last).order_by(table.c.id).limit(_ROWS)
        rows = connection.execute(some).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and value != ""


def _load(row: Any) -> dict[str, Any]:
    try:
        members = json.loads(row.client_metadata)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise ValueError(
            f"the client_metadata of client {row.client_id!r} is not a JSON object: mend or delete that row"
        )
    return members


def _keep(connection: sa.Connection, table: sa.TableClause, row: Any, values: Mapping[str, Any]) -> None:
    connection.execute(sa.update(table).where(table.c.id == row.id).values(**values))


def _build_again(name: str, former: _Former, *, fills_itself: bool) -> sa.Column[Any]:
    """The column as it was.

    A column that may not be NULL may be so until it is filled. SQLite cannot change that later, so it gets a default.
    """
    if former.server_default is not None:
        return sa.Column(name, former.type, nullable=False, server_default=former.server_default)
    if former.absent is None or not fills_itself:
        return sa.Column(name, former.type)
    absent = sa.false() if former.absent is False else sa.text("''")
    return sa.Column(name, former.type, nullable=False, server_default=absent)
