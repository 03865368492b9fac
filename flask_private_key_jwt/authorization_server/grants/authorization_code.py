"""A person has allowed it (RFC 6749 §4.1.3): the client shows the code that it was given, once."""

from dataclasses import replace
from functools import partial

from ... import clock
from ...dpop.proof import DPoPProof
from ...errors import InvalidGrant, InvalidRequest
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.granted import Granted, StoredCode
from .base import Allowed, GrantParts
from .pkce import check_code_verifier
from .resource import check_named, find_named, narrow_resources

NAME = "authorization_code"


class AuthorizationCodeGrant:
    """Accepts a code, which is used in one atomic step.

    A refused request leaves the code unused: the wrong client, verifier or key, a ``resource`` that was not granted, or
    a token policy that refuses. If a request proves everything the code is bound to, but the code was used before, the
    grant is revoked (RFC 6749 §4.1.2).
    """

    def __init__(self, parts: GrantParts) -> None:
        self._settings = parts.settings
        self._authorizations = parts.authorizations
        self._refresh_tokens = parts.refresh_tokens
        self._revocations = parts.revocations

    def check(self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> Allowed:
        """Check the code and everything it is bound to.

        :raises InvalidRequest: There is no code.
        :raises InvalidGrant: The code is not good, or the request does not fit it.
        :raises InvalidTarget: There is no ``resource``, and there has to be one.
        """
        if (code := request.get("code")) is None:
            raise InvalidRequest("no code", cause="code_missing")
        stored = self._load(code, request, client, proof)
        self._check_good(stored)
        check_named(request.resources, self._settings)
        allowed = Allowed(
            grant_type=NAME,
            client=client,
            request=request,
            proof=proof,
            granted=stored.granted,
            nonce=stored.nonce,
        )
        # A refresh token that anybody can use is for the one resource of its first access token, too.
        is_narrowed = allowed.is_for_anybody or self._settings.REQUIRE_RESOURCE
        named = find_named(request.resources, self._settings)
        kept = narrow_resources(stored.granted, named) if is_narrowed else stored.granted
        return replace(allowed, spend=partial(self._redeem, code, kept, client, proof))

    def _redeem(self, code: str, granted: Granted, client: RegisteredClient, proof: DPoPProof | None) -> str | None:
        """Use the code, and return the refresh token if the client gets one.

        :raises InvalidGrant: Another request has used the code first.
        """
        if not self._authorizations.use_code(code):
            raise self._refuse_reuse(granted)
        return self._refresh_tokens.issue(granted, client, proof)

    def _load(self, code: str, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> StoredCode:
        stored = self._authorizations.find_code(code)
        if stored is None:
            raise InvalidGrant("the code is unknown", cause="code_unknown")
        if stored.granted.client_id != client.client_id:
            raise InvalidGrant("the code is another client's", cause="code_foreign")
        if request.get("redirect_uri") != stored.redirect_uri:
            raise InvalidGrant("redirect_uri is not the one the code was sent to", cause="redirect_uri_mismatch")
        check_code_verifier(request.get("code_verifier"), stored.code_challenge)
        if stored.dpop_jkt is not None and (proof is None or proof.thumbprint != stored.dpop_jkt):
            raise InvalidGrant("the code is bound to another DPoP key", cause="code_key_mismatch")
        return stored

    def _check_good(self, stored: StoredCode) -> None:
        if stored.used:
            raise self._refuse_reuse(stored.granted)
        if clock.is_over(stored.expires_at):
            raise InvalidGrant("the code is expired", cause="code_expired")
        if self._revocations.is_grant_revoked(stored.granted):
            raise InvalidGrant("what the person allowed was revoked", cause="grant_revoked")

    def _refuse_reuse(self, granted: Granted) -> InvalidGrant:
        """Revoke the grant of a code that was used before; return the refusal."""
        self._revocations.revoke_grant(granted, because="code_used")
        return InvalidGrant("the code was used before; what came of it is revoked", cause="code_used")
