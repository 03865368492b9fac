"""Revocation by the client that holds a token (RFC 7009)."""

import logging
import math

from ...errors import InactiveToken, InvalidRequest
from ...signals.events import GrantRevoked
from ..registered_client import RegisteredClient
from ..stores.granted import StoredRefreshToken
from .issued import IssuedTokens
from .revoked import Revocations

log = logging.getLogger("flask_private_key_jwt")


class TokenRevoker:
    """Revokes tokens for the clients they were issued to.

    :param issued: Recognizes a token.
    :param revocations: Revokes it.
    :param ends_sessions: Whether an access token stands for its whole grant, also after it has expired: to sign out, a
        client of the AT Protocol shows the last access token that it had.
    """

    def __init__(self, issued: IssuedTokens, revocations: Revocations, *, ends_sessions: bool) -> None:
        self._ends_sessions = ends_sessions
        self._issued = issued
        self._revocations = revocations

    def revoke(self, text: str | None, caller: RegisteredClient) -> None:
        """Revoke a token: a refresh token with all tokens of its grant; an access token alone, or as one (§2.1).

        :param text: The request's ``token``.
        :raises InvalidRequest: There is none, or it is another client's; nothing is revoked (§2.1).
        :raises InactiveToken: It is unknown or has expired for every API, so there is nothing to revoke; this is not an
            error (§2.2). Or it is another client's and the caller is a public client.
        :raises StoreUnavailable: The database did not answer.
        """
        if text is None:
            raise InvalidRequest("no token", cause="token_parameter_missing")
        token = self._issued.load(text, also_expired=self._ends_sessions)
        owner = token.granted.client_id if isinstance(token, StoredRefreshToken) else token.client_id
        if owner != caller.client_id:
            # Anybody can claim to be a public client, and must not learn whether a stolen token is still valid.
            raise (InactiveToken if caller.is_public else InvalidRequest)(
                f"the token belongs to client {owner!r}", cause="token_foreign"
            )
        if isinstance(token, StoredRefreshToken):
            self._revoke_grant(GrantRevoked(token.granted.grant_id, owner, token.granted.subject, because="client"))
        elif self._ends_sessions and "grant_id" in token.claims:
            subject = token.claims["sub"]
            self._revoke_grant(GrantRevoked(token.claims["grant_id"], owner, subject, because="client"))
        else:
            expires_at = math.ceil(token.valid_until)
            self._revocations.revoke_token(token.claims["jti"], expires_at=expires_at, client_id=caller.client_id)
            log.info("client %r revoked the access token %s", caller.client_id, token.claims["jti"])

    def _revoke_grant(self, event: GrantRevoked) -> None:
        self._revocations.end_grant(event)
        log.info("client %r revoked the grant %s", event.client_id, event.grant_id)
