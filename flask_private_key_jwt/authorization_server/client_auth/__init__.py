"""Step 2: who asks. One file per method; the table feeds the metadata document."""

CLIENT_AUTH_METHODS = {
    "private_key_jwt": "flask_private_key_jwt.authorization_server.client_auth.private_key_jwt:"
    "PrivateKeyJWTAuthentication",
    "none": "flask_private_key_jwt.authorization_server.client_auth.public:PublicClients",
}
"""Registered name of the method (OpenID Connect Core §9) -> where it is checked."""
