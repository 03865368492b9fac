"""Step 5: what allows the token. A new grant is one file and one line here; the table feeds the metadata document."""

GRANTS = {
    "client_credentials": "flask_private_key_jwt.grants.client_credentials:ClientCredentialsGrant",
}
"""``grant_type`` -> where its class is."""
