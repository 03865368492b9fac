"""Under ``atproto``: only the key with which a client began a session goes on with it (§ Confidential Client
Authentication of https://atproto.com/specs/oauth)."""

import logging
from contextlib import suppress

from ...errors import FetchBusy, InvalidGrant
from ...settings.server import ServerSettings
from ..keys.client_keys import ClientKeys
from ..keys.remote_documents import DocumentUnavailable
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.contracts import ClientStore
from ..tokens.refresh_token import RefreshTokens
from ..tokens.revoked import Revocations
from .authlib_grants import AcceptedGrant
from .base import Allowed

log = logging.getLogger("flask_private_key_jwt")


class ClientKeyBinding:
    """Compares the key that signed a token request with the key that signed the pushed request.

    :param settings: The server's settings: the profile decides whether it is compared.
    :param clients: Finds a client.
    :param keys: Finds the keys that a client publishes now.
    :param refresh_tokens: Knows which session a refresh token belongs to.
    :param revocations: Ends the session of a key that is gone.
    """

    def __init__(
        self,
        settings: ServerSettings,
        clients: ClientStore,
        keys: ClientKeys,
        refresh_tokens: RefreshTokens,
        revocations: Revocations,
    ) -> None:
        self._is_on = settings.PROFILE == "atproto"
        self._clients = clients
        self._keys = keys
        self._refresh_tokens = refresh_tokens
        self._revocations = revocations

    def check(self, allowed: Allowed | AcceptedGrant, thumbprint: str | None) -> None:
        """Refuse another key than the session began with. A session that began without a key goes on without one.

        If the client no longer publishes the first key, the session ends: the key may be stolen.

        :param allowed: What the code or refresh token allows; nothing is spent yet.
        :param thumbprint: The RFC 7638 thumbprint of the key that signed this request; ``None``: none did.
        :raises InvalidGrant: It is another key, or there is one and there was none.
        :raises FetchBusy: The client's keys cannot be fetched now, because other fetches leave no room.
        :raises StoreUnavailable: A store did not answer.
        """
        if not self._is_on or isinstance(allowed, AcceptedGrant) or allowed.granted is None:
            return
        first = allowed.granted.client_jkt
        if first == thumbprint:
            return
        if first is not None and not self._is_published(first, allowed.client):
            self._revocations.revoke_grant(allowed.granted, because="client_key_removed")
            raise InvalidGrant(
                "the client no longer publishes the key that the session began with; the session ends",
                cause="client_key_removed",
            )
        raise InvalidGrant("the session began with another key of the client, or without", cause="client_key_changed")

    def note_refused(self, request: FormRequest) -> None:
        """End the session of a request that no key of the client signed, if the client no longer publishes its key.

        It does not matter who sent the request: what ends the session is that the key is gone, whoever asks.

        :raises StoreUnavailable: A store did not answer.
        """
        token = request.get("refresh_token") if self._is_on else None
        stored = self._refresh_tokens.find(token) if token is not None else None
        if stored is None or stored.granted.client_jkt is None:
            return
        with suppress(FetchBusy):  # the next request finds out
            client = self._clients.find(stored.granted.client_id)
            if client is not None and not self._is_published(stored.granted.client_jkt, client):
                self._revocations.revoke_grant(stored.granted, because="client_key_removed")
                log.info(
                    "client %r removed the key of the grant %s: it ends", client.client_id, stored.granted.grant_id
                )

    def _is_published(self, thumbprint: str, client: RegisteredClient) -> bool:
        try:
            keys = self._keys.all(client)
        except DocumentUnavailable:
            return True  # nobody knows: the request is refused, and the session may go on later
        return any(key.public.thumbprint == thumbprint for key in keys)
