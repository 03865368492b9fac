"""The audit trail, and the end of its chain.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
JSON_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade():
    op.create_table(
        "oauth2_audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(255)),
        sa.Column("subject", sa.String(255)),
        sa.Column("details", JSON_TEXT, nullable=False),
        sa.Column("previous", DIGEST, nullable=False),
        sa.Column("mac", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_oauth2_audit"),
        sa.CheckConstraint("number >= 1", name="ck_oauth2_audit_number"),
        sa.CheckConstraint("event <> ''", name="ck_oauth2_audit_event"),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    op.create_table(
        "oauth2_audit_head",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mac", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_oauth2_audit_head"),
        sa.CheckConstraint("slot = 1", name="ck_oauth2_audit_head_slot"),
        sa.CheckConstraint("number >= 0", name="ck_oauth2_audit_head_number"),
    )


def downgrade():
    op.drop_table("oauth2_audit_head")
    op.drop_table("oauth2_audit")
