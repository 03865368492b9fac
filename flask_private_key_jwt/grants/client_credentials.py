"""The client acts for itself (RFC 6749 §4.4)."""

from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as _ClientCredentialsGrant

from ..errors import UnauthorizedClient


class ClientCredentialsGrant(_ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no type hints
    """Authlib's grant, for clients that authenticate with ``private_key_jwt``."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self) -> None:
        """Check that the client is registered for this grant.

        :raises UnauthorizedClient: It is not (RFC 6749 §5.2).
        """
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClient("the client is not registered for client_credentials", client_id=client.client_id)
        self.request.client = client
