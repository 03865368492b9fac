"""Shared secrets of clients that move to keys; and which methods of authentication there are is no longer the table's.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

auth_method = "token_endpoint_auth_method <> ''"
one_key_source = (
    "(jwks IS NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'private_key_jwt')"
    " OR (jwks IS NULL AND jwks_uri IS NOT NULL AND token_endpoint_auth_method <> 'none')"
    " OR (jwks IS NOT NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'none')"
)
former_auth_method = "token_endpoint_auth_method IN ('private_key_jwt', 'none')"
former_one_key_source = (
    "(jwks IS NULL AND jwks_uri IS NOT NULL AND token_endpoint_auth_method <> 'none')"
    " OR (jwks IS NOT NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'none')"
    " OR (jwks IS NULL AND jwks_uri IS NULL AND token_endpoint_auth_method = 'none')"
)


def upgrade():
    op.create_table(
        "oauth2_client_secret",
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("method", sa.String(48), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("client_id", "name", name="pk_oauth2_client_secret"),
        sa.CheckConstraint(
            "client_id <> '' AND name <> '' AND method <> '' AND kept <> ''", name="ck_oauth2_client_secret_names"
        ),
        sa.CheckConstraint(
            "created_at >= 0 AND expires_at >= 0 AND last_used_at >= 0", name="ck_oauth2_client_secret_times"
        ),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    change_constraints(auth_method, one_key_source)


def downgrade():
    client = sa.table("oauth2_client", sa.column("client_id"), sa.column("token_endpoint_auth_method"))
    lost = sa.select(client.c.client_id).where(client.c.token_endpoint_auth_method.not_in(("private_key_jwt", "none")))
    if (name := op.get_bind().scalar(lost.limit(1))) is not None:
        raise ValueError(f"client {name!r} has no keys, which the table before did not allow: remove it first")
    change_constraints(former_auth_method, former_one_key_source)
    op.drop_table("oauth2_client_secret")


def change_constraints(method, source):
    """On SQLite this writes the table anew."""
    with op.batch_alter_table("oauth2_client") as table:
        for name, condition in (("auth_method", method), ("one_key_source", source)):
            table.drop_constraint(op.f(f"ck_oauth2_client_{name}"), type_="check")
            table.create_check_constraint(op.f(f"ck_oauth2_client_{name}"), condition)
