"""Refresh tokens (RFC 6749 §6): opaque, hashed at rest, held by whoever they were given to (RFC 9700 §4.14.2).

A confidential client's are bound to its keys by client authentication and stay the same; a public client's are bound
to its DPoP key and are replaced at each use. For a while, a client that did not get the answer may use the replaced one
again, and gets the same successor: it is derived from the replaced one, so that nothing but digests is stored. Once the
successor is used, or the while is over, a further use means that two hold the token: all that came of the grant ends.
"""

import hmac
import secrets
from dataclasses import replace
from functools import cached_property
from hashlib import sha256

from ... import clock
from ...dpop.proof import DPoPProof
from ...errors import InvalidGrant, InvalidRequest
from ...jose.derived import Secrets
from ...jose.jose import b64url
from ...settings.server import ServerSettings
from ...settings.values import OFFLINE_ACCESS
from ..registered_client import RegisteredClient
from ..stores.granted import Granted, RefreshTokenStore, StoredRefreshToken
from .revoked import Revocations


class RefreshTokens:
    """Makes, checks and replaces refresh tokens.

    :param settings: The server's settings.
    :param store: Where they are kept.
    :param revocations: What was revoked, and how to.
    :param secrets: The application's secrets; every worker must have the same.
    """

    def __init__(
        self, settings: ServerSettings, store: RefreshTokenStore, revocations: Revocations, secrets: Secrets
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._store = store
        self._revocations = revocations

    def issue(self, granted: Granted, client: RegisteredClient, proof: DPoPProof | None) -> str | None:
        """A first refresh token for what was granted, or ``None`` where the client is to have none.

        A client gets one when it is registered for ``refresh_token``; one that is registered for the scope
        ``offline_access`` gets it only with that scope (OpenID Connect Core §11).

        :param proof: The proof of the request: a public client's key from now on.
        :raises StoreUnavailable: The database did not answer.
        """
        if "refresh_token" not in client.grant_types:
            return None
        if OFFLINE_ACCESS in client.scope and OFFLINE_ACCESS not in granted.scope:
            return None
        jkt = proof.thumbprint if proof and client.is_public else None
        expires_at = clock.now() + self._settings.REFRESH_TOKEN_LIFETIME_SECONDS
        token = secrets.token_urlsafe(32)
        self._store.add(token, StoredRefreshToken(granted, jkt, proof is not None, self._new_idle_until(), expires_at))
        return token

    def load(self, token: str, client: RegisteredClient, proof: DPoPProof | None) -> StoredRefreshToken:
        """What a refresh token stands for, once it is clear that this client may use it now.

        :raises InvalidGrant: It is unknown, another client's, expired, revoked, bound to another key, or was replaced
            too long ago or by one that was used since; these last two revoke the grant.
        :raises InvalidRequest: Its access tokens are bound to a key, and the request proves none.
        :raises StoreUnavailable: The database did not answer.
        """
        stored = self._store.find(token)
        if stored is None:
            raise InvalidGrant("the refresh token is unknown or revoked", cause="refresh_token_unknown")
        if stored.granted.client_id != client.client_id:
            raise InvalidGrant("the refresh token is another client's", cause="refresh_token_foreign")
        if clock.is_over(stored.ends_at):
            raise InvalidGrant("the refresh token is expired", cause="refresh_token_expired")
        if self._revocations.is_grant_revoked(stored.granted.grant_id):
            raise InvalidGrant(
                "the refresh token was made of a grant that was just revoked", cause="refresh_token_grant_revoked"
            )
        if stored.dpop_bound and proof is None:
            # Never a Bearer token from a grant whose tokens were bound (RFC 9700 §2.2).
            raise InvalidRequest("no DPoP proof, though the grant's tokens are bound", cause="proof_missing_for_grant")
        if _belongs_to_nobody(stored, client):
            raise InvalidGrant(
                "the refresh token is bound to no key, and the client has become public", cause="refresh_token_unbound"
            )
        if stored.dpop_jkt is not None and (proof is None or proof.thumbprint != stored.dpop_jkt):
            raise InvalidGrant("the refresh token is bound to another key", cause="refresh_token_key_mismatch")
        if stored.used_at is not None and not self._may_be_retried(token, stored):
            self._revocations.revoke_grant(stored.granted.grant_id)
            raise InvalidGrant(
                "the refresh token was replaced before; the grant is revoked", cause="refresh_token_reused"
            )
        return stored

    def use(self, token: str, stored: StoredRefreshToken, client: RegisteredClient) -> str | None:
        """Note the use of a loaded token; the one that takes its place, or ``None`` when it stays.

        :raises InvalidGrant: It was revoked or replaced meanwhile, and its successor cannot be found.
        :raises StoreUnavailable: The database did not answer.
        """
        if stored.used_at is None and not self._is_rotated(client):
            self._store.keep_alive(token, idle_until=self._new_idle_until())
            return None
        if stored.used_at is None:
            successor = self._derive_successors(token)[0]
            if self._store.replace(token, successor, replace(stored, idle_until=self._new_idle_until())):
                return successor
        return self._load_successor(token)[0]  # a retry, or two requests at once: each gets the same

    def find(self, token: str) -> StoredRefreshToken | None:
        """What a refresh token stands for, whosever it is and ended as it may be. A look: it changes nothing.

        :raises StoreUnavailable: The database did not answer.
        """
        return self._store.find(token)

    def find_end(self, stored: StoredRefreshToken) -> int:
        """When a refresh token ends if it is not used before, in seconds since the epoch."""
        if stored.used_at is None:
            return stored.ends_at
        return min(stored.ends_at, stored.used_at + self._settings.REFRESH_TOKEN_RETRY_SECONDS)

    def is_active(self, token: str, stored: StoredRefreshToken, client: RegisteredClient) -> bool:
        """Whether its own client could use a refresh token now. A look: unlike a use, it never revokes anything.

        :raises StoreUnavailable: The database did not answer.
        """
        if clock.is_over(self.find_end(stored)) or _belongs_to_nobody(stored, client):
            return False
        try:
            if stored.used_at is not None and not self._may_be_retried(token, stored):
                return False
        except InvalidGrant:
            return False
        return not self._revocations.is_grant_revoked(stored.granted.grant_id)

    def _is_rotated(self, client: RegisteredClient) -> bool:
        rotation = self._settings.REFRESH_TOKEN_ROTATION
        return rotation == "all" or (rotation == "public" and client.is_public)

    def _new_idle_until(self) -> int:
        return clock.now() + self._settings.REFRESH_TOKEN_IDLE_SECONDS

    def _may_be_retried(self, token: str, stored: StoredRefreshToken) -> bool:
        """Whether the client of a replaced token may not have got the answer, as far as this server can tell.

        :raises InvalidGrant: Its successor cannot be found.
        """
        if clock.is_over(self.find_end(stored)):
            return False
        # Who used the successor got it: somebody else has the token, too (RFC 9700 §4.14.2).
        return self._load_successor(token)[1].used_at is None

    def _load_successor(self, token: str) -> tuple[str, StoredRefreshToken]:
        """The one that took the place of *token*, made under whichever of our secrets was the newest then.

        :raises InvalidGrant: There is none: the grant was revoked, or that secret is none of ours any more.
        """
        for successor in self._derive_successors(token):
            if (stored := self._store.find(successor)) is not None:
                return successor, stored
        raise InvalidGrant(
            "the refresh token was replaced, and its successor is unknown", cause="refresh_token_successor"
        )

    def _derive_successors(self, token: str) -> list[str]:
        """What takes the place of *token*, by each of our secrets, newest first."""
        return [b64url(hmac.digest(key, token.encode("utf-8", "surrogatepass"), sha256)) for key in self._keys]

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        return self._secrets.derive("refresh token successor")  # at first use: a set-up command needs no secret


def _belongs_to_nobody(stored: StoredRefreshToken, client: RegisteredClient) -> bool:
    """Whether the client has become public: one that is not bound was given out while it had to authenticate."""
    return client.is_public and stored.dpop_jkt is None
