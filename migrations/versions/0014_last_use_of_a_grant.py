"""When what a person allowed was last used, and indexes to find what a person allows.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("oauth2_authorization_code", "oauth2_consent")


def upgrade():
    op.add_column("oauth2_refresh_token", sa.Column("last_used_at", sa.BigInteger()))
    for table in TABLES:
        op.create_index(f"ix_{table}_subject", table, ["subject"])


def downgrade():
    for table in TABLES:
        op.drop_index(f"ix_{table}_subject", table)
    op.drop_column("oauth2_refresh_token", "last_used_at")
