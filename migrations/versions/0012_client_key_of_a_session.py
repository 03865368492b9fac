"""The key with which a client began what a code or a refresh token stands for, so that only this key goes on with it.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade():
    for table in ("oauth2_authorization_code", "oauth2_refresh_token"):
        op.add_column(table, sa.Column("client_jkt", sa.String(64)))


def downgrade():
    for table in ("oauth2_authorization_code", "oauth2_refresh_token"):
        op.drop_column(table, "client_jkt")
