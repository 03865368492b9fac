"""Which fetched keys a client does not use any more. What was fetched before is fetched anew, by its kind.

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
    op.add_column("oauth2_client", sa.Column("jwks_not_before", sa.BigInteger()))
    # Documents are kept under their kind and URL from here on; nobody would find these again.
    op.execute(sa.table("oauth2_fetched_document").delete())


def downgrade():
    op.execute(sa.table("oauth2_fetched_document").delete())
    op.drop_column("oauth2_client", "jwks_not_before")
