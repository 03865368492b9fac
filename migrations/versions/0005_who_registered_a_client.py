"""Who registered a client: the operator, or the client itself.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "oauth2_client", sa.Column("registered_by", sa.String(16), nullable=False, server_default="operator")
    )
    # Whoever manages its own registration has, as far as a row tells, made it too.
    client = sa.table("oauth2_client", sa.column("registered_by"), sa.column("registration_access_token_digest"))
    its_own = client.c.registration_access_token_digest.is_not(None)
    op.execute(client.update().where(its_own).values(registered_by="client"))


def downgrade():
    op.drop_column("oauth2_client", "registered_by")
