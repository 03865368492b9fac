"""A person allowed it before (RFC 6749 §6)."""

from typing import Any

from authlib.oauth2.rfc6749.grants import RefreshTokenGrant as _RefreshTokenGrant

from ...errors import InvalidRequest, InvalidScope, OAuthError
from ..stores.granted import StoredRefreshToken
from .authlib_request import AuthenticatedClient
from .scope import drop_offline_access, split_scope


class RefreshTokenGrant(_RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no type hints
    """Authlib's grant, with the rules of :mod:`...tokens.refresh_token`."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt", "none"]

    def validate_token_request(self) -> None:
        """Check the refresh token and that the request asks for no more than was granted.

        :raises InvalidRequest: There is no refresh token, or no proof where one is needed.
        :raises InvalidGrant: The refresh token is not right.
        :raises InvalidScope: The scope was not granted.
        """
        client: AuthenticatedClient = self.authenticate_token_endpoint_client()
        try:
            if (token := client.request.get("refresh_token")) is None:
                raise InvalidRequest("no refresh_token")
            stored = self.server.refresh_tokens.load(token, client.registered, client.proof)
            self._scope = _check_scope(client.request.get("scope"), stored)
        except OAuthError as refusal:
            refusal.client_id = client.client_id
            raise
        self._token, self._stored = token, stored
        self.request.client = client.acting_for(stored.granted)

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """The access token, and a new refresh token where the old one is replaced."""
        client: AuthenticatedClient = self.request.client
        token = self.generate_token(scope=self._scope)
        # Last: a refusal on the way, by the token policy say, has not replaced anything.
        refresh_token = self.server.refresh_tokens.use(self._token, self._stored, client.registered)
        if refresh_token is not None:
            token["refresh_token"] = refresh_token
        return 200, token, self.TOKEN_RESPONSE_HEADER


def _check_scope(requested: str | None, stored: StoredRefreshToken) -> str:
    """All that was granted, or the part of it that is asked for (RFC 6749 §6)."""
    granted = stored.granted.scope
    wanted = drop_offline_access(split_scope(requested or ""), granted)
    if more := [token for token in wanted if token not in granted]:
        raise InvalidScope(f"scope {more[0][:100]!r} was not granted")
    return " ".join(wanted or granted)
