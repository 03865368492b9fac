"""Counters, and in whose quota a pushed request counts.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "oauth2_counter",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_oauth2_counter"),
        sa.CheckConstraint("counted >= 1", name="ck_oauth2_counter_counted"),
        sa.CheckConstraint("expires_at >= 0", name="ck_oauth2_counter_expires_at"),
    )
    op.add_column("oauth2_pushed_request", sa.Column("pushed_by", DIGEST))
    op.create_index("ix_oauth2_pushed_request_pushed_by", "oauth2_pushed_request", ["pushed_by", "expires_at"])


def downgrade():
    op.drop_index("ix_oauth2_pushed_request_pushed_by", table_name="oauth2_pushed_request")
    op.drop_column("oauth2_pushed_request", "pushed_by")
    op.drop_table("oauth2_counter")
