"""The members of a client that no SQL looks for go into client_metadata, one JSON object in the words of RFC 7591.

Stop the servers first: workers of the version before cannot read the new table, nor those of this one the old.

Revision ID: 0009
Revises: 0008
"""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

long_json = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

strings = {
    "client_name": sa.Text(),
    "token_endpoint_auth_signing_alg": sa.String(16),
    "scope": sa.Text(),
    "default_scope": sa.Text(),
    "request_object_signing_alg": sa.String(16),
}
lists = {
    "grant_types": sa.Text(),
    "redirect_uris": long_json,
    "post_logout_redirect_uris": long_json,
    "introspection_resources": sa.Text(),
}
flags = {
    "require_pushed_authorization_requests": sa.Boolean(),
    "require_signed_request_object": sa.Boolean(),
    "require_auth_time": sa.Boolean(),
}
numbers = {"default_max_age": sa.BigInteger()}
columns = {**strings, **lists, **flags, **numbers}
never_null = {"grant_types": "", "scope": "", "default_scope": "", "redirect_uris": "", **dict.fromkeys(flags, False)}
"""Column -> what it has where the member is absent."""
filled = ("require_signed_request_object", "require_auth_time")
"""These had a server default."""

client = sa.table(
    "oauth2_client",
    sa.column("id", sa.Integer()),
    sa.column("client_id", sa.String(255)),
    sa.column("client_metadata", long_json),
    *(sa.column(name, kind) for name, kind in columns.items()),
)


def upgrade():
    connection = op.get_bind()
    for row in read_clients(connection, *columns):
        members = read_members(row)
        for name in columns:
            value = getattr(row, name)
            if name in lists:
                value = (value or "").split()
            # 0 seconds are said; false, nothing and an empty list are what the absence of a member means.
            if value not in (None, "", []) and value is not False:
                members[name] = value
        members.setdefault("grant_types", [])
        write(connection, row, client_metadata=json.dumps(members))
    for name in columns:
        op.drop_column("oauth2_client", name)


def downgrade():
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    for name, kind in columns.items():
        options = {}
        if name in filled:
            options = {"nullable": False, "server_default": sa.false()}
        elif name in never_null and is_sqlite:  # which cannot change it later
            default = sa.false() if name in flags else sa.text("''")
            options = {"nullable": False, "server_default": default}
        op.add_column("oauth2_client", sa.Column(name, kind, **options))
    for row in read_clients(connection):
        members = read_members(row)
        values = {name: never_null.get(name) for name in columns}
        for name in columns:
            if name in members:
                value = members.pop(name)
                values[name] = " ".join(value) if name in lists else value
        write(connection, row, client_metadata=json.dumps(members), **values)
    if not is_sqlite:
        for name in never_null:
            default = sa.false() if name in filled else None
            op.alter_column(
                "oauth2_client", name, nullable=False, existing_type=columns[name], existing_server_default=default
            )


def read_clients(connection, *names):
    """Every client, a few hundred at a time."""
    last = -1
    while True:
        wanted = sa.select(client.c.id, client.c.client_id, client.c.client_metadata, *(client.c[name] for name in names))
        rows = connection.execute(wanted.where(client.c.id > last).order_by(client.c.id).limit(500)).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def read_members(row):
    try:
        members = json.loads(row.client_metadata)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise ValueError(f"client_metadata of client {row.client_id!r} is not a JSON object: mend or delete that row")
    return members


def write(connection, row, **values):
    connection.execute(sa.update(client).where(client.c.id == row.id).values(**values))
