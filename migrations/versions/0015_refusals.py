"""What the references of refused requests stand for, for ``flask oauth2 explain``.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "oauth2_refusal",
        sa.Column("reference", sa.String(32), nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.String(48), nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("cause", sa.String(100), nullable=False),
        sa.Column("client_id", sa.String(255)),
        sa.Column("address", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("details", sa.Text()),
        sa.PrimaryKeyConstraint("reference", name="pk_oauth2_refusal"),
        sa.CheckConstraint("refused_at >= 0", name="ck_oauth2_refusal_refused_at"),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade():
    op.drop_table("oauth2_refusal")
