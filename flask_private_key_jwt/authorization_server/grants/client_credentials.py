"""The client acts for itself (RFC 6749 §4.4)."""

from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as _ClientCredentialsGrant


class ClientCredentialsGrant(_ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no type hints
    """Authlib's grant, for clients that authenticate with ``private_key_jwt``."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self) -> None:
        """Take the authenticated client; its scope is checked with the token's, as for every grant."""
        self.request.client = self.authenticate_token_endpoint_client()
