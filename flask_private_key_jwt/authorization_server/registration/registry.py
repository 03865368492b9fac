"""The clients of one app: add, change, disable, remove. A change is one transaction and counts at once, everywhere."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ... import clock
from ...errors import InvalidClientMetadata, UnknownClient
from ...settings.server import ServerSettings
from ..keys.client_key_set import with_keys, without_key
from ..registered_client import RegisteredBy, RegisteredClient
from ..stores.sql.registrations import ClientIdTaken, SQLAlchemyRegistrations
from ..stores.tables.client import new_version
from ..tokens.revoked import longest_life
from .authentication import find_method_with_keys, is_keyless, keep_known_members
from .client_secrets import ClientSecretRegistry
from .merge_patch import merge_metadata
from .metadata import OPERATOR_MAX_BYTES, build_client, describe_client, with_default_scope

_TRIES = 5


class ClientRegistry:
    """Registers clients in the app's database; ``oauth.clients``.

    Metadata is a mapping with the members of RFC 7591 §2, and those that only the operator sets: ``client_id`` (made if
    absent), ``default_scope``, ``assertion_audience`` (``issuer`` or ``compatibility``), ``owner`` and ``enabled``.
    """

    def __init__(
        self,
        settings: ServerSettings,
        registrations: SQLAlchemyRegistrations,
        *,
        grant_types: Callable[[], Sequence[str]],
        secrets: ClientSecretRegistry,
    ) -> None:
        self._settings = settings
        self._registrations = registrations
        self._grant_types = grant_types
        self.secrets = secrets
        """The secrets of clients that are moving to keys."""

    def add(self, metadata: Mapping[str, Any]) -> RegisteredClient:
        """Register a client.

        :raises InvalidClientMetadata: A member is not acceptable, or the ``client_id`` is taken.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self.build(with_default_scope(metadata, self._settings))
        try:
            self._registrations.add(client)
        except ClientIdTaken:
            raise _refusal(f"client_id {client.client_id!r} is registered already", cause="client_id_taken") from None
        return client

    def update(self, client_id: str, changes: Mapping[str, Any]) -> RegisteredClient:
        """Change a client: *changes* is merged into its metadata, ``None`` removes a member (RFC 7396).

        A list is replaced as a whole. A new ``jwks`` replaces the ``jwks_uri``, and the other way round.

        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: The result is not acceptable; the client stays as it was.
        :raises StoreUnavailable: The database did not answer.
        """
        if changes.get("client_id", client_id) != client_id:
            raise _refusal("client_id cannot be changed", cause="client_id_fixed")
        return self._change(client_id, lambda _before: changes)

    def add_keys(self, client_id: str, jwks: Mapping[str, Any]) -> RegisteredClient:
        """Add the keys of a JWK Set to the client's own. The old ones stay until :meth:`retire_key`.

        The first keys of a client that had only secrets make it a ``private_key_jwt`` client; its secrets count until
        they end.

        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: A key is unusable or registered already, or the keys are at a ``jwks_uri``.
        :raises StoreUnavailable: The database did not answer.
        """

        def add(before: RegisteredClient) -> Mapping[str, Any]:
            together = with_keys(before, jwks, algs=self._signing_algs(before), now=clock.now())
            # Such a key would not be kept, and the caller would believe that it is there.
            if len(keep_known_members(together)["keys"]) < len(together["keys"]):
                raise InvalidClientMetadata(
                    "nothing to add: a member of a key has the wrong type", cause="jwks_member_type"
                )
            if is_keyless(before):
                return {"jwks": together, "token_endpoint_auth_method": find_method_with_keys()}
            return {"jwks": together}

        return self._change(client_id, add)

    def retire_key(self, client_id: str, name: str) -> RegisteredClient:
        """Remove one key of a client; it stops working with the next request.

        :param name: The key's ``kid``, its RFC 7638 thumbprint, or a thumbprint of its certificate.
        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: There is no such key, or it is the last one the client can sign with.
        :raises StoreUnavailable: The database did not answer.
        """
        return self._change(
            client_id,
            lambda before: {"jwks": without_key(before, name, algs=self._signing_algs(before), now=clock.now())},
        )

    def disable(self, client_id: str) -> RegisteredClient:
        """Stop a client from authenticating, from its next request on; ``update(id, {"enabled": True})`` undoes it.

        Unlike :meth:`update` this also works if the current settings no longer allow the registration.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        self._registrations.disable(self.get(client_id), version=new_version())
        return self.get(client_id)

    def vouch(self, client_id: str, *, vouched: bool = True) -> RegisteredClient:
        """Stand behind a client that registered itself: from its next request on it counts as the operator's own.

        If the client has a registration access token, this also covers every change that it makes later.

        :param vouched: ``False``: it counts as a client that registered itself, even if the operator registered it.
        :raises UnknownClient: There is none in the database; a client registered by a document never is.
        :raises InvalidClientMetadata: Others are changing it at this moment.
        :raises StoreUnavailable: The database did not answer.
        """
        registered_by: RegisteredBy = "operator" if vouched else "client"
        for _ in range(_TRIES):
            before = self.get(client_id)
            after = dataclasses.replace(before, registered_by=registered_by, version=new_version())
            if self._registrations.replace(before, after, by="operator"):
                return after
        raise _refusal(f"client {client_id!r} is being changed by others; try again", cause="client_contended")

    def refetch_keys(self, client_id: str) -> RegisteredClient:
        """Stop using the keys fetched from a client's ``jwks_uri``; the client's next request fetches them again.

        Use it if a key was stolen: after the client has removed the key from its set, the key stops working at once,
        and not only when the kept set expires.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self.get(client_id)
        self._registrations.refetch_keys(client, version=new_version())
        return client

    def remove(self, client_id: str) -> None:
        """Delete a client and revoke all its tokens, its own and those that people allowed.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        while not self._registrations.remove(self.get(client_id), until=longest_life(self._settings), by="operator"):
            pass  # changed in between: look again

    def get(self, client_id: str) -> RegisteredClient:
        """One client as it is registered now.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        found = self._registrations.find(client_id)
        if found is None:
            raise UnknownClient(f"No client {client_id!r} is registered.")
        return found.client

    def describe(self, client_id: str) -> dict[str, Any]:
        """One client's registration as it is now, as metadata that :meth:`add` accepts.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        return describe_client(self.get(client_id))

    def all(self) -> list[RegisteredClient]:
        """Every client, by ``client_id``."""
        return [registration.client for registration in self._registrations.all()]

    def build(
        self,
        metadata: Mapping[str, Any],
        *,
        registered_by: RegisteredBy = "operator",
        max_bytes: int = OPERATOR_MAX_BYTES,
    ) -> RegisteredClient:
        """Build a client from *metadata*, with a new version; nothing is saved.

        :param registered_by: Who registers the client.
        :param max_bytes: Largest registration: the size of the kept members as JSON.
        :raises InvalidClientMetadata: A member is not acceptable.
        """
        try:
            return build_client(
                metadata,
                settings=self._settings,
                grant_types=self._grant_types(),
                version=new_version(),
                registered_by=registered_by,
                max_bytes=max_bytes,
            )
        except InvalidClientMetadata as error:
            error.add_note(error.reason)
            raise

    def _change(
        self, client_id: str, find_changes: Callable[[RegisteredClient], Mapping[str, Any]]
    ) -> RegisteredClient:
        """Merge the changes that *find_changes* returns; it is called again if the client changed in the meantime."""
        for _ in range(_TRIES):
            before = self.get(client_id)
            try:
                changes = find_changes(before)
            except InvalidClientMetadata as error:
                error.add_note(error.reason)
                raise
            after = self.build(merge_metadata(describe_client(before), changes), registered_by=before.registered_by)
            if self._registrations.replace(before, after, by="operator", at_once=True):
                return after
        raise _refusal(f"client {client_id!r} is being changed by others; try again", cause="client_contended")

    def _signing_algs(self, client: RegisteredClient) -> Collection[str]:
        alg = client.token_endpoint_auth_signing_alg
        return self._settings.ASSERTION_SIGNING_ALGS if alg is None else (alg,)


def _refusal(reason: str, *, cause: str) -> InvalidClientMetadata:
    """A refusal whose traceback shows the private reason, because the operator calls the registry, not a client."""
    error = InvalidClientMetadata(reason, cause=cause)
    error.add_note(reason)
    return error
