"""The demo's own: people who may sign in, and sign-ins that failed.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "demo_user",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_demo_user")),
        sa.UniqueConstraint("name", name=op.f("uq_demo_user_name")),
        sa.CheckConstraint("id <> ''", name=op.f("ck_demo_user_id")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_demo_user_name")),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "demo_sign_in_attempt",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "place", name=op.f("pk_demo_sign_in_attempt")),
    )
    op.create_index(op.f("ix_demo_sign_in_attempt_expires_at"), "demo_sign_in_attempt", ["expires_at"])


def downgrade():
    op.drop_index(op.f("ix_demo_sign_in_attempt_expires_at"), "demo_sign_in_attempt")
    op.drop_table("demo_sign_in_attempt")
    op.drop_table("demo_user")
