"""When a person allowed what a code or a refresh token stands for, so that a later revocation of theirs ends it.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade():
    for table in ("oauth2_authorization_code", "oauth2_refresh_token"):
        op.add_column(table, sa.Column("granted_at", sa.BigInteger()))


def downgrade():
    for table in ("oauth2_authorization_code", "oauth2_refresh_token"):
        op.drop_column(table, "granted_at")
