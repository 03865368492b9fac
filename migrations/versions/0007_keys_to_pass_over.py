"""Which fetched keys a client does not use any more, and which fetch failed. What was kept is fetched anew, by its kind.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("oauth2_client", sa.Column("jwks_not_before", sa.BigInteger()))
    failed_at = sa.Column("failed_at", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("oauth2_fetched_document", failed_at)
    # Documents are kept under their kind and URL from here on; nobody would find these again.
    op.execute(sa.table("oauth2_fetched_document").delete())


def downgrade():
    op.execute(sa.table("oauth2_fetched_document").delete())
    op.drop_column("oauth2_fetched_document", "failed_at")
    op.drop_column("oauth2_client", "jwks_not_before")
