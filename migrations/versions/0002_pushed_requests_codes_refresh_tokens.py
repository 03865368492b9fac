"""What people allow: pushed requests, codes, refresh tokens, consents, revocations.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

long_json = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
digest = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "oauth2_pushed_request",
        sa.Column("digest", digest, nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("parameters", long_json, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_pushed_request")),
        sa.CheckConstraint("expires_at >= 0 AND used_at >= 0", name=op.f("ck_oauth2_pushed_request_times")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_authorization_code",
        sa.Column("digest", digest, nullable=False),
        sa.Column("grant_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.BigInteger()),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(128), nullable=False),
        sa.Column("dpop_jkt", sa.String(64)),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_authorization_code")),
        sa.CheckConstraint("code_challenge <> ''", name=op.f("ck_oauth2_authorization_code_code_challenge")),
        sa.CheckConstraint("expires_at >= 0 AND used_at >= 0", name=op.f("ck_oauth2_authorization_code_times")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_refresh_token",
        sa.Column("digest", digest, nullable=False),
        sa.Column("grant_id", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.BigInteger()),
        sa.Column("dpop_jkt", sa.String(64)),
        sa.Column("dpop_bound", sa.Boolean(), nullable=False),
        sa.Column("idle_until", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_refresh_token")),
        sa.CheckConstraint(
            "idle_until >= 0 AND expires_at >= 0 AND used_at >= 0", name=op.f("ck_oauth2_refresh_token_times")
        ),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_index(op.f("ix_oauth2_refresh_token_grant_id"), "oauth2_refresh_token", ["grant_id"])
    op.create_index(op.f("ix_oauth2_refresh_token_subject"), "oauth2_refresh_token", ["subject"])
    op.create_table(
        "oauth2_consent",
        sa.Column("digest", digest, nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_consent")),
        sa.CheckConstraint("given_at >= 0", name=op.f("ck_oauth2_consent_given_at")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_revocation",
        sa.Column("digest", digest, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth2_revocation")),
        sa.CheckConstraint("expires_at >= 0", name=op.f("ck_oauth2_revocation_expires_at")),
    )


def downgrade():
    op.drop_table("oauth2_revocation")
    op.drop_table("oauth2_consent")
    op.drop_index(op.f("ix_oauth2_refresh_token_subject"), "oauth2_refresh_token")
    op.drop_index(op.f("ix_oauth2_refresh_token_grant_id"), "oauth2_refresh_token")
    op.drop_table("oauth2_refresh_token")
    op.drop_table("oauth2_authorization_code")
    op.drop_table("oauth2_pushed_request")
