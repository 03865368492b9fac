"""Under ``atproto``: only the key with which a client began a session goes on with it (§ Confidential Client
Authentication of https://atproto.com/specs/oauth)."""

from ...errors import InvalidGrant
from ...settings.server import ServerSettings
from ..keys.client_keys import ClientKeys
from ..keys.remote_documents import DocumentUnavailable
from ..registered_client import RegisteredClient
from ..tokens.revoked import Revocations
from .authlib_grants import AcceptedGrant
from .base import Allowed


class ClientKeyBinding:
    """Compares the key that signed a token request with the key that signed the pushed request.

    :param settings: The server's settings: the profile decides whether it is compared.
    :param keys: Finds the keys that a client publishes now.
    :param revocations: Ends the session of a key that is gone.
    """

    def __init__(self, settings: ServerSettings, keys: ClientKeys, revocations: Revocations) -> None:
        self._is_on = settings.PROFILE == "atproto"
        self._keys = keys
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
            self._revocations.revoke_grant(allowed.granted.grant_id)
            raise InvalidGrant(
                "the client no longer publishes the key that the session began with; the session ends",
                cause="client_key_removed",
            )
        raise InvalidGrant("the session began with another key of the client, or without", cause="client_key_changed")

    def _is_published(self, thumbprint: str, client: RegisteredClient) -> bool:
        try:
            keys = self._keys.all(client)
        except DocumentUnavailable:
            return True  # nobody knows: the request is refused, and the session may go on later
        return any(key.public.thumbprint == thumbprint for key in keys)
