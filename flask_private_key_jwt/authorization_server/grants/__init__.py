"""Step 5: what allows the token. A new grant is one file and one line here; the table feeds the metadata document."""

GRANTS = {
    "authorization_code": "flask_private_key_jwt.authorization_server.grants.authorization_code:AuthorizationCodeGrant",
    "refresh_token": "flask_private_key_jwt.authorization_server.grants.refresh_token:RefreshTokenGrant",
    "client_credentials": "flask_private_key_jwt.authorization_server.grants.client_credentials:ClientCredentialsGrant",
}
"""``grant_type`` -> where its class is."""

PEOPLES_GRANTS = frozenset({"authorization_code", "refresh_token"})
"""Served only where the application has people to ask."""
