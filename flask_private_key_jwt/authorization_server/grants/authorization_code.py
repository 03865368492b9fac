"""A person has allowed it (RFC 6749 §4.1.3): a code, once, from the client it was given to."""

from typing import Any

from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant as _AuthorizationCodeGrant

from ... import clock
from ...errors import InvalidGrant, InvalidRequest, OAuthError
from ..stores.granted import Granted, StoredCode
from .authlib_request import AuthenticatedClient
from .pkce import check_code_verifier


class AuthorizationCodeGrant(_AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no type hints
    """Authlib's grant, with a code that is used in one atomic step.

    A request that is refused leaves the code as it was: the wrong client, verifier or key, a ``resource`` that was not
    granted, a token policy that says no. One that proves all the code is bound to, but is not the first, revokes what
    came of the first (RFC 6749 §4.1.2).
    """

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt", "none"]

    def validate_token_request(self) -> None:
        """Check the code and all it is bound to.

        :raises InvalidRequest: There is no code.
        :raises InvalidGrant: The code, or what it is bound to, is not right.
        """
        client: AuthenticatedClient = self.authenticate_token_endpoint_client()
        try:
            if (code := client.request.get("code")) is None:
                raise InvalidRequest("no code")
            stored = self._load(code, client)
            self._check_good(stored)
        except OAuthError as refusal:
            refusal.client_id = client.client_id
            raise
        self._code = code
        self.request.client = client.acting_for(stored.granted, nonce=stored.nonce)

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """The access token, and the ID token and the refresh token where the client is to have them.

        :raises InvalidGrant: Another redemption of the code was faster.
        """
        client: AuthenticatedClient = self.request.client
        assert client.granted is not None
        token = self.generate_token(scope=" ".join(client.granted.scope))
        # Late: a refusal on the way, of a resource or by the token policy, has not used the code.
        if not self.server.authorizations.use_code(self._code):
            raise self._refuse_reuse(client.granted)
        refresh_token = self.server.refresh_tokens.issue(client.granted, client.registered, client.proof)
        if refresh_token is not None:
            token["refresh_token"] = refresh_token
        return 200, token, self.TOKEN_RESPONSE_HEADER

    def _load(self, code: str, client: AuthenticatedClient) -> StoredCode:
        stored: StoredCode | None = self.server.authorizations.find_code(code)
        if stored is None:
            raise InvalidGrant("the code is unknown")
        if stored.granted.client_id != client.client_id:
            raise InvalidGrant("the code is another client's")
        if client.request.get("redirect_uri") != stored.redirect_uri:
            raise InvalidGrant("redirect_uri is not the one the code was sent to")
        check_code_verifier(client.request.get("code_verifier"), stored.code_challenge)
        if stored.dpop_jkt is not None and (client.proof is None or client.proof.thumbprint != stored.dpop_jkt):
            raise InvalidGrant("the code is bound to another DPoP key")
        return stored

    def _check_good(self, stored: StoredCode) -> None:
        if stored.used:
            raise self._refuse_reuse(stored.granted)
        if clock.is_over(stored.expires_at):
            raise InvalidGrant("the code is expired")
        if self.server.revocations.is_grant_revoked(stored.granted.grant_id):
            raise InvalidGrant("what the person allowed was revoked")

    def _refuse_reuse(self, granted: Granted) -> InvalidGrant:
        self.server.revocations.revoke_grant(granted.grant_id)
        return InvalidGrant("the code was used before; what came of it is revoked", client_id=granted.client_id)
