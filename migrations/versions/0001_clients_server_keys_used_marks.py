"""Registered clients, the server's own keys, used marks.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

long_json = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
digest = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "oauth2_client",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.String(255)),
        sa.Column("client_name", sa.Text()),
        sa.Column("jwks", long_json, nullable=False),
        sa.Column("token_endpoint_auth_method", sa.String(48), nullable=False),
        sa.Column("token_endpoint_auth_signing_alg", sa.String(16)),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("default_scope", sa.Text(), nullable=False),
        sa.Column("dpop_bound_access_tokens", sa.Boolean(), nullable=False),
        sa.Column("assertion_audience", sa.String(16), nullable=False),
        sa.Column("client_metadata", long_json, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth2_client")),
        sa.UniqueConstraint("client_id", name=op.f("uq_oauth2_client_client_id")),
        sa.CheckConstraint("client_id <> ''", name=op.f("ck_oauth2_client_client_id")),
        sa.CheckConstraint("version <> ''", name=op.f("ck_oauth2_client_version")),
        sa.CheckConstraint(
            """jwks NOT IN ('', 'null', '[]', '{}', '{"keys":[]}', '{"keys": []}')""",
            name=op.f("ck_oauth2_client_jwks"),
        ),
        sa.CheckConstraint("token_endpoint_auth_method = 'private_key_jwt'", name=op.f("ck_oauth2_client_auth_method")),
        sa.CheckConstraint(
            "assertion_audience IN ('issuer', 'compatibility')", name=op.f("ck_oauth2_client_assertion_audience")
        ),
        sa.CheckConstraint("client_metadata <> ''", name=op.f("ck_oauth2_client_metadata")),
        sa.CheckConstraint("created_at >= 0 AND updated_at >= 0", name=op.f("ck_oauth2_client_times")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_server_key",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kid", sa.String(255), nullable=False),
        sa.Column("alg", sa.String(16), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("encrypted_private_jwk", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_oauth2_server_key")),
        sa.UniqueConstraint("kid", name=op.f("uq_oauth2_server_key_kid")),
        sa.CheckConstraint("slot >= 1", name=op.f("ck_oauth2_server_key_slot")),
        sa.CheckConstraint("kid <> '' AND alg <> ''", name=op.f("ck_oauth2_server_key_names")),
        sa.CheckConstraint(
            "public_jwk <> '' AND encrypted_private_jwk <> ''", name=op.f("ck_oauth2_server_key_jwk")
        ),
        sa.CheckConstraint("created_at >= 0", name=op.f("ck_oauth2_server_key_created_at")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_replay",
        sa.Column("digest", digest, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_replay")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_oauth2_replay_digest")),
        sa.CheckConstraint("expires_at >= 0", name=op.f("ck_oauth2_replay_expires_at")),
        sqlite_with_rowid=False,
    )


def downgrade():
    op.drop_table("oauth2_replay")
    op.drop_table("oauth2_server_key")
    op.drop_table("oauth2_client")
