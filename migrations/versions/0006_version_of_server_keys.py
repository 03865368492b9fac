"""A version for each of the server's keys, by which every process notices a change at once.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("oauth2_server_key", sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))


def downgrade():
    op.drop_column("oauth2_server_key", "version")
