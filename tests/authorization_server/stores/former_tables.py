"""The table of clients as it was before its members were gathered in ``client_metadata``, and its rows."""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Engine, MetaData, String, Table, Text, false, insert, select
from sqlalchemy.dialects import mysql

from tests.authorization_server.stores.example_client import FULL_CLIENT
from tests.conftest import START

LONG = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def former_columns() -> list[Column[Any]]:
    """Those that version 0009 of the demo's migrations dropped, as they were at 0008."""
    return [
        Column("client_name", Text),
        Column("token_endpoint_auth_signing_alg", String(16)),
        Column("grant_types", Text, nullable=False),
        Column("scope", Text, nullable=False),
        Column("default_scope", Text, nullable=False),
        Column("redirect_uris", LONG, nullable=False),
        Column("require_pushed_authorization_requests", Boolean, nullable=False),
        Column("require_signed_request_object", Boolean, nullable=False, server_default=false()),
        Column("request_object_signing_alg", String(16)),
        Column("post_logout_redirect_uris", LONG),
        Column("default_max_age", BigInteger),
        Column("require_auth_time", Boolean, nullable=False, server_default=false()),
        Column("introspection_resources", Text),
    ]


FORMER = [column.name for column in former_columns()]


def add_former_columns(table: Table, *, without: Any = ()) -> None:
    for column in former_columns():
        if column.name not in without:
            table.append_column(column)


# --- rows of version 0008 ------------------------------------------------------------------------------------
FULL_ROW: dict[str, Any] = {
    "client_id": "console",
    "version": "1",
    "enabled": True,
    "owner": "team-7",
    "client_name": "Kónsole 𝄞",
    "jwks": '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
    "jwks_uri": None,
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "EdDSA",
    "grant_types": "client_credentials refresh_token",
    "scope": "admin read write",
    "default_scope": "write read",
    "dpop_bound_access_tokens": True,
    "assertion_audience": "compatibility",
    "redirect_uris": "https://app.example/callback com.example.app:/callback",
    "application_type": "native",
    "require_pushed_authorization_requests": True,
    "require_signed_request_object": True,
    "request_object_signing_alg": "EdDSA",
    "post_logout_redirect_uris": "https://app.example/bye http://127.0.0.1/bye",
    "default_max_age": 0,
    "require_auth_time": True,
    "introspection_resources": "https://api.example https://as.example",
    "registered_by": "operator",
    "client_metadata": '{"contacts": ["ops@example.com"], "client_name#ja": "\\u30af\\u30e9"}',
    "jwks_not_before": None,
    "registration_access_token_digest": b"d" * 32,
    "created_at": START,
    "updated_at": START,
}
"""A client with every member set, as :data:`.example_client.FULL_CLIENT` has it."""
FULL_METADATA = {**FULL_CLIENT.metadata, "client_name#ja": "クラ"}
PUBLIC_ROW = {
    **FULL_ROW,
    "client_id": "native",
    "client_name": None,
    "jwks": None,
    "token_endpoint_auth_method": "none",
    "token_endpoint_auth_signing_alg": None,
    "grant_types": "authorization_code",
    "scope": "",
    "default_scope": "",
    "require_pushed_authorization_requests": False,
    "require_signed_request_object": False,
    "request_object_signing_alg": None,
    "post_logout_redirect_uris": None,
    "default_max_age": None,
    "require_auth_time": False,
    "introspection_resources": None,
    "registered_by": "client",
    "client_metadata": "{}",
    "registration_access_token_digest": None,
}
"""A client with the least."""


def insert_rows(engine: Engine) -> None:
    """The two clients above, and many more: a migration reads some at a time."""
    table = reflect(engine)
    more = [{**PUBLIC_ROW, "client_id": f"native-{number}"} for number in range(1001)]
    with engine.begin() as connection:
        connection.execute(insert(table), [FULL_ROW, PUBLIC_ROW, *more])


def read_rows(engine: Engine) -> dict[str, dict[str, Any]]:
    table = reflect(engine)
    with engine.connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(select(table).order_by(table.c.client_id))]
    return {row["client_id"]: row for row in rows}


def reflect(engine: Engine) -> Table:
    return Table("oauth2_client", MetaData(), autoload_with=engine)


# --- an application's own migration ----------------------------------------------------------------------------
def edit_as_documented(folder: str) -> None:
    """What docs/upgrading.md has one do with the newest version: our lines in the place of those on these columns."""
    newest = max((Path(folder) / "versions").glob("*.py"), key=lambda path: path.stat().st_mtime_ns)
    names = "|".join(FORMER)
    text = re.sub(rf" +batch_op\.(add_column\(sa\.Column|drop_column)\('({names})'.*\n", "", newest.read_text())
    text = re.sub(r" +with op\.batch_alter_table\([^\n]*\n\s*\n(?! {8})", "", text)  # a block with nothing left in it
    text = "from flask_private_key_jwt import gather_client_metadata, spread_client_metadata\n" + text
    text = text.replace("def upgrade():\n", "def upgrade():\n    gather_client_metadata(op)\n")
    newest.write_text(text.replace("def downgrade():\n", "def downgrade():\n    spread_client_metadata(op)\n"))
