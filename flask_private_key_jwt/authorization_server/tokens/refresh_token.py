"""Refresh tokens (RFC 6749 §6): opaque, stored as hashes, and usable only by their own client (RFC 9700 §4.14.2).

The refresh token of a confidential client is bound to its keys by client authentication, and stays the same. That of a
public client is bound to its DPoP key, if it has shown one, and is replaced at each use. A client that did not get the
answer may use the replaced token again for some time, and gets the same successor. The successor is derived from the
replaced token, so only hashes are stored. After that time, or when the successor has been used, another use means that
somebody else has the token too: the grant is revoked. Where a token is bound to no key, that time is short.
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

BEARER_RETRY_SECONDS = 10
"""How long a replaced refresh token that is bound to no key may be sent again.

Whoever sends it in that time gets the successor, a thief too, and two who always do are never told apart. A client
whose answer was lost tries again within seconds.
"""


class RefreshTokens:
    """Makes, checks and replaces refresh tokens.

    :param settings: The server's settings.
    :param store: Where they are kept.
    :param revocations: Knows what was revoked, and revokes grants.
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
        """Make the first refresh token of a grant, or return ``None`` if the client gets none.

        A client that is registered for ``refresh_token`` gets one. If it is also registered for the scope
        ``offline_access``, it gets one only with that scope (OpenID Connect Core §11).

        :param proof: The proof of the request; a public client's refresh tokens are bound to its key, under ``atproto``
            every client's.
        :raises StoreUnavailable: The database did not answer.
        """
        if "refresh_token" not in client.grant_types:
            return None
        if OFFLINE_ACCESS in client.scope and OFFLINE_ACCESS not in granted.scope:
            return None
        is_bound = client.is_public or self._settings.PROFILE == "atproto"
        jkt = proof.thumbprint if proof and is_bound else None
        expires_at = clock.now() + self._settings.find_session_lifetime(public=client.is_public)
        token = secrets.token_urlsafe(32)
        self._store.add(
            token,
            StoredRefreshToken(
                granted,
                jkt,
                proof is not None,
                self._new_idle_until(client),
                expires_at,
                is_bearer=proof is None and client.is_public,
            ),
        )
        return token

    def load(self, token: str, client: RegisteredClient, proof: DPoPProof | None) -> StoredRefreshToken:
        """What is stored for a refresh token, after checking that this client may use it now.

        :raises InvalidGrant: It is unknown, another client's, expired, revoked or bound to another key; or it was
            replaced too long ago, or its successor has been used, or is bound to another key. The last three also
            revoke the grant.
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
        if self._revocations.is_grant_revoked(stored.granted):
            raise InvalidGrant(
                "the refresh token was made of a grant that was just revoked", cause="refresh_token_grant_revoked"
            )
        if stored.dpop_bound and proof is None:
            # Never a Bearer token from a grant whose tokens were bound (RFC 9700 §2.2).
            raise InvalidRequest("no DPoP proof, though the grant's tokens are bound", cause="proof_missing_for_grant")
        if self._belongs_to_nobody(stored, client):
            raise InvalidGrant(
                "the refresh token is bound to no key, as those of public clients must be",
                cause="refresh_token_unbound",
            )
        if stored.dpop_jkt is not None and (proof is None or proof.thumbprint != stored.dpop_jkt):
            raise InvalidGrant("the refresh token is bound to another key", cause="refresh_token_key_mismatch")
        if stored.used_at is not None and not self._may_be_retried(token, stored):
            raise self._refuse_reuse(stored)
        if stored.used_at is not None:
            self._load_own_successor(token, stored, proof)
        return stored

    def use(
        self, token: str, stored: StoredRefreshToken, client: RegisteredClient, proof: DPoPProof | None
    ) -> str | None:
        """Note that a loaded token is used; return its successor, or ``None`` if the token stays the same.

        If a public client shows a key for the first time, the successor is bound to it.

        :raises InvalidGrant: It was revoked or replaced in the meantime, and its successor cannot be found or is bound
            to another key. The last also revokes the grant.
        :raises StoreUnavailable: The database did not answer.
        """
        if stored.used_at is None and not self._is_rotated(client):
            self._store.keep_alive(token, idle_until=self._new_idle_until(client))
            return None
        if stored.used_at is None:
            successor = self._derive_successors(token)[0]
            next_one = replace(_bind(stored, proof), idle_until=self._new_idle_until(client))
            if self._store.replace(token, successor, next_one):
                return successor
        return self._load_own_successor(token, stored, proof)  # a retry, or two requests at once: each gets the same

    def find(self, token: str) -> StoredRefreshToken | None:
        """What is stored for a refresh token, of any client, also if it has ended. This changes nothing.

        :raises StoreUnavailable: The database did not answer.
        """
        return self._store.find(token)

    def find_end(self, stored: StoredRefreshToken) -> int:
        """When a refresh token ends if it is not used until then, in seconds since the epoch."""
        if stored.used_at is None:
            return stored.ends_at
        longest = self._settings.REFRESH_TOKEN_RETRY_SECONDS
        retry = min(longest, BEARER_RETRY_SECONDS) if stored.is_bearer else longest
        return min(stored.ends_at, stored.used_at + retry)

    def is_active(self, token: str, stored: StoredRefreshToken, client: RegisteredClient) -> bool:
        """Whether its own client could use a refresh token now. Unlike :meth:`load`, this never revokes anything.

        :raises StoreUnavailable: The database did not answer.
        """
        if clock.is_over(self.find_end(stored)) or self._belongs_to_nobody(stored, client):
            return False
        try:
            if stored.used_at is not None and not self._may_be_retried(token, stored):
                return False
        except InvalidGrant:
            return False
        return not self._revocations.is_grant_revoked(stored.granted)

    def _belongs_to_nobody(self, stored: StoredRefreshToken, client: RegisteredClient) -> bool:
        """Whether anybody could use the token who must not: it is bound to no key, and its client is public.

        Either the client had to authenticate when it got the token, or ``OAUTH2_PUBLIC_BEARER_TOKENS`` is off by now.
        """
        if not client.is_public or stored.dpop_jkt is not None:
            return False
        return not (stored.is_bearer and self._settings.PUBLIC_BEARER_TOKENS)

    def _is_rotated(self, client: RegisteredClient) -> bool:
        rotation = self._settings.REFRESH_TOKEN_ROTATION
        return rotation == "all" or (rotation == "public" and client.is_public)

    def _new_idle_until(self, client: RegisteredClient) -> int:
        return clock.now() + self._settings.find_idle_lifetime(public=client.is_public)

    def _may_be_retried(self, token: str, stored: StoredRefreshToken) -> bool:
        """Whether a replaced token may be used again, because its client may not have got the answer.

        :raises InvalidGrant: Its successor cannot be found.
        """
        if clock.is_over(self.find_end(stored)):
            return False
        # If the successor was used, the answer arrived: this caller is somebody else (RFC 9700 §4.14.2).
        return self._load_successor(token)[1].used_at is None

    def _load_own_successor(self, token: str, stored: StoredRefreshToken, proof: DPoPProof | None) -> str:
        """The successor of *token*, for the party that made it.

        Whoever used a token that was bound to nothing, and showed a key, bound the successor. A second party that does
        not hold this key cannot use the successor, so its next use would never show that there are two of them.

        :raises InvalidGrant: The successor is bound to another key, and the grant is revoked; or there is none.
        """
        successor, next_one = self._load_successor(token)
        if next_one.dpop_jkt is not None and (proof is None or proof.thumbprint != next_one.dpop_jkt):
            raise self._refuse_reuse(stored)
        return successor

    def _refuse_reuse(self, stored: StoredRefreshToken) -> InvalidGrant:
        """Revoke the grant of a token that two parties have; return the refusal."""
        self._revocations.revoke_grant(stored.granted, because="refresh_token_reused")
        return InvalidGrant("the refresh token was replaced before; the grant is revoked", cause="refresh_token_reused")

    def _load_successor(self, token: str) -> tuple[str, StoredRefreshToken]:
        """The successor of *token*, which was made with the newest secret of that time.

        :raises InvalidGrant: There is none: the grant was revoked, or that secret is no longer ours.
        """
        for successor in self._derive_successors(token):
            if (stored := self._store.find(successor)) is not None:
                return successor, stored
        raise InvalidGrant(
            "the refresh token was replaced, and its successor is unknown", cause="refresh_token_successor"
        )

    def _derive_successors(self, token: str) -> list[str]:
        """The possible successors of *token*, one for each of our secrets, newest first."""
        return [b64url(hmac.digest(key, token.encode("utf-8", "surrogatepass"), sha256)) for key in self._keys]

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        return self._secrets.derive("refresh token successor")  # at first use: a set-up command needs no secret


def _bind(stored: StoredRefreshToken, proof: DPoPProof | None) -> StoredRefreshToken:
    """Bind what anybody could use to the key that is proved now (RFC 9449 §5)."""
    if not stored.is_bearer or proof is None:
        return stored
    return replace(stored, dpop_jkt=proof.thumbprint, dpop_bound=True, is_bearer=False)
