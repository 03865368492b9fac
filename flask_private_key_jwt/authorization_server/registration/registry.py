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
from .merge_patch import merge_metadata
from .metadata import OPERATOR_MAX_BYTES, build_client, describe_client, with_default_scope

_TRIES = 5


class ClientRegistry:
    """Registers clients in the app's database; ``oauth.clients``.

    Metadata is a mapping in the words of RFC 7591 §2, with the operator's own members: ``client_id`` (made when
    absent), ``default_scope``, ``assertion_audience`` (``issuer`` or ``compatibility``), ``owner`` and ``enabled``.
    """

    def __init__(
        self,
        settings: ServerSettings,
        registrations: SQLAlchemyRegistrations,
        *,
        grant_types: Callable[[], Sequence[str]],
    ) -> None:
        self._settings = settings
        self._registrations = registrations
        self._grant_types = grant_types

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

        A list is replaced whole. A new ``jwks`` takes the place of ``jwks_uri``, and the other way round.

        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: The result is not acceptable; the client stays as it was.
        :raises StoreUnavailable: The database did not answer.
        """
        if changes.get("client_id", client_id) != client_id:
            raise _refusal("client_id cannot be changed", cause="client_id_fixed")
        return self._change(client_id, lambda _before: changes)

    def add_keys(self, client_id: str, jwks: Mapping[str, Any]) -> RegisteredClient:
        """Add the keys of a JWK Set to the client's own. The old ones stay until :meth:`retire_key`.

        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: A key is unusable or there already, or the keys are at a ``jwks_uri``.
        :raises StoreUnavailable: The database did not answer.
        """
        return self._change(
            client_id,
            lambda before: {"jwks": with_keys(before, jwks, algs=self._signing_algs(before), now=clock.now())},
        )

    def retire_key(self, client_id: str, name: str) -> RegisteredClient:
        """Take one key from a client, from its next request on.

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

        Unlike :meth:`update` it works whatever else the registration holds, which settings may have outlawed since.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        self._registrations.disable(self.get(client_id), version=new_version())
        return self.get(client_id)

    def vouch(self, client_id: str, *, vouched: bool = True) -> RegisteredClient:
        """Stand behind a client that registered itself: from its next request on it counts as the operator's own.

        That holds for what it registers afterwards, too, as long as it has a registration access token.

        :param vouched: ``False``: it counts as one that registered itself, whoever registered it.
        :raises UnknownClient: There is none; a client whose ``client_id`` is the URL of a document is in no database.
        :raises InvalidClientMetadata: Others are changing it at this moment.
        :raises StoreUnavailable: The database did not answer.
        """
        registered_by: RegisteredBy = "operator" if vouched else "client"
        for _ in range(_TRIES):
            before = self.get(client_id)
            after = dataclasses.replace(before, registered_by=registered_by, version=new_version())
            if self._registrations.replace(before, after):
                return after
        raise _refusal(f"client {client_id!r} is being changed by others; try again", cause="client_contended")

    def refetch_keys(self, client_id: str) -> RegisteredClient:
        """Use none of the keys fetched from a client's ``jwks_uri`` again; its next request fetches them anew.

        For a key that was stolen: once the client has taken it out of its set, it stops working at once, not only when
        the kept set is due.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self.get(client_id)
        self._registrations.refetch_keys(client, version=new_version())
        return client

    def remove(self, client_id: str) -> None:
        """Delete a client, and end every token it holds: what people allowed it, and its own.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        while not self._registrations.remove(self.get(client_id), until=longest_life(self._settings)):
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
        """One client's registration as it is now, in the words that :meth:`add` takes.

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
        """The client that *metadata* makes, with a new version; nothing is saved.

        :param registered_by: Whose word the registration is.
        :param max_bytes: Largest registration, as JSON of what is kept of it.
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
        """Merge what *find_changes* makes of the client as it is now; asked again when somebody else was faster."""
        for _ in range(_TRIES):
            before = self.get(client_id)
            try:
                changes = find_changes(before)
            except InvalidClientMetadata as error:
                error.add_note(error.reason)
                raise
            after = self.build(merge_metadata(describe_client(before), changes), registered_by=before.registered_by)
            if self._registrations.replace(before, after, at_once=True):
                return after
        raise _refusal(f"client {client_id!r} is being changed by others; try again", cause="client_contended")

    def _signing_algs(self, client: RegisteredClient) -> Collection[str]:
        alg = client.token_endpoint_auth_signing_alg
        return self._settings.ASSERTION_SIGNING_ALGS if alg is None else (alg,)


def _refusal(reason: str, *, cause: str) -> InvalidClientMetadata:
    """A refusal whose traceback shows the private reason: who calls the registry is the operator, not a client."""
    error = InvalidClientMetadata(reason, cause=cause)
    error.add_note(reason)
    return error
