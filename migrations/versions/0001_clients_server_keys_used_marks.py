"""Registered clients and their keys, registration tokens, the server's own keys, used marks.

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
        sa.Column("jwks", long_json),
        sa.Column("jwks_uri", sa.Text()),
        sa.Column("token_endpoint_auth_method", sa.String(48), nullable=False),
        sa.Column("token_endpoint_auth_signing_alg", sa.String(16)),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("default_scope", sa.Text(), nullable=False),
        sa.Column("dpop_bound_access_tokens", sa.Boolean(), nullable=False),
        sa.Column("assertion_audience", sa.String(16), nullable=False),
        sa.Column("redirect_uris", long_json, nullable=False),
        sa.Column("application_type", sa.String(16), nullable=False),
        sa.Column("require_pushed_authorization_requests", sa.Boolean(), nullable=False),
        sa.Column("client_metadata", long_json, nullable=False),
        sa.Column("registration_access_token_digest", digest),
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
        sa.CheckConstraint(
            "(jwks IS NULL AND jwks_uri IS NOT NULL AND token_endpoint_auth_method <> 'none')"
            " OR (jwks IS NOT NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'none')"
            " OR (jwks IS NULL AND jwks_uri IS NULL AND token_endpoint_auth_method = 'none')",
            name=op.f("ck_oauth2_client_one_key_source"),
        ),
        sa.CheckConstraint("jwks_uri <> ''", name=op.f("ck_oauth2_client_jwks_uri")),
        sa.CheckConstraint(
            "token_endpoint_auth_method IN ('private_key_jwt', 'none')", name=op.f("ck_oauth2_client_auth_method")
        ),
        sa.CheckConstraint(
            "token_endpoint_auth_method <> 'none' OR dpop_bound_access_tokens",
            name=op.f("ck_oauth2_client_public_is_bound"),
        ),
        sa.CheckConstraint(
            "application_type IN ('web', 'native')", name=op.f("ck_oauth2_client_application_type")
        ),
        sa.CheckConstraint(
            "assertion_audience IN ('issuer', 'compatibility')", name=op.f("ck_oauth2_client_assertion_audience")
        ),
        sa.CheckConstraint("client_metadata <> ''", name=op.f("ck_oauth2_client_metadata")),
        sa.CheckConstraint("created_at >= 0 AND updated_at >= 0", name=op.f("ck_oauth2_client_times")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_client_key",
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("thumbprint", sa.String(64), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("client_id", "thumbprint", name=op.f("pk_oauth2_client_key")),
        sa.CheckConstraint("client_id <> '' AND thumbprint <> ''", name=op.f("ck_oauth2_client_key_names")),
        sa.CheckConstraint("added_at >= 0 AND last_used_at >= 0", name=op.f("ck_oauth2_client_key_times")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_fetched_document",
        sa.Column("url_digest", digest, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", long_json),
        sa.Column("fetched_at", sa.BigInteger(), nullable=False),
        sa.Column("fresh_until", sa.BigInteger(), nullable=False),
        sa.Column("attempted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("url_digest", name=op.f("pk_oauth2_fetched_document")),
        sa.CheckConstraint("url <> ''", name=op.f("ck_oauth2_fetched_document_url")),
        sa.CheckConstraint(
            "fetched_at >= 0 AND fresh_until >= 0 AND attempted_at >= 0", name=op.f("ck_oauth2_fetched_document_times")
        ),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_registration_token",
        sa.Column("digest", digest, nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("may_choose_client_id", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_registration_token")),
        sa.CheckConstraint("uses_left >= 0", name=op.f("ck_oauth2_registration_token_uses_left")),
        sa.CheckConstraint(
            "created_at >= 0 AND expires_at >= created_at", name=op.f("ck_oauth2_registration_token_times")
        ),
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
        sa.Column("signs_from", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_oauth2_server_key")),
        sa.UniqueConstraint("kid", name=op.f("uq_oauth2_server_key_kid")),
        sa.CheckConstraint("slot >= 1", name=op.f("ck_oauth2_server_key_slot")),
        sa.CheckConstraint("kid <> '' AND alg <> ''", name=op.f("ck_oauth2_server_key_names")),
        sa.CheckConstraint(
            "public_jwk <> '' AND encrypted_private_jwk <> ''", name=op.f("ck_oauth2_server_key_jwk")
        ),
        sa.CheckConstraint(
            "created_at >= 0 AND signs_from >= created_at AND retired_at >= 0",
            name=op.f("ck_oauth2_server_key_times"),
        ),
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
    op.drop_table("oauth2_registration_token")
    op.drop_table("oauth2_fetched_document")
    op.drop_table("oauth2_client_key")
    op.drop_table("oauth2_client")
