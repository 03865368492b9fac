"""OpenID Connect, signed requests, introspection, and the revocation of all that a client or a person holds.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

long_json = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade():
    flag = {"nullable": False, "server_default": sa.false()}
    op.add_column("oauth2_client", sa.Column("require_signed_request_object", sa.Boolean(), **flag))
    op.add_column("oauth2_client", sa.Column("request_object_signing_alg", sa.String(16)))
    op.add_column("oauth2_client", sa.Column("post_logout_redirect_uris", long_json))
    op.add_column("oauth2_client", sa.Column("default_max_age", sa.BigInteger()))
    op.add_column("oauth2_client", sa.Column("require_auth_time", sa.Boolean(), **flag))
    op.add_column("oauth2_client", sa.Column("introspection_resources", sa.Text()))
    op.create_index(op.f("ix_oauth2_pushed_request_client_id"), "oauth2_pushed_request", ["client_id"])
    op.add_column("oauth2_authorization_code", sa.Column("nonce", sa.Text()))
    op.add_column("oauth2_revocation", sa.Column("issued_until", sa.BigInteger()))


def downgrade():
    op.drop_column("oauth2_revocation", "issued_until")
    op.drop_column("oauth2_authorization_code", "nonce")
    op.drop_index(op.f("ix_oauth2_pushed_request_client_id"), "oauth2_pushed_request")
    for name in (
        "introspection_resources",
        "require_auth_time",
        "default_max_age",
        "post_logout_redirect_uris",
        "request_object_signing_alg",
        "require_signed_request_object",
    ):
        op.drop_column("oauth2_client", name)
