"""What a client may do about its own registration: make it (RFC 7591), read, replace, merge and end it (RFC 7592).

The rules of :mod:`.metadata` apply, as for the operator. Two things are different here: members that only the operator
may set (:data:`..registered_client.OPERATOR_MEMBERS`) are ignored, and a client can only give itself the scopes of
``OAUTH2_REGISTRATION_SCOPES``.
"""

import dataclasses
import hmac
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from ...errors import (
    InvalidClientMetadata,
    InvalidRegistrationToken,
    MissingRegistrationToken,
    TemporarilyUnavailable,
)
from ...jose.unset import is_unset, without_unset
from ...replay.base import Mark, Replayed, ReplayStore, remember_once
from ...settings.server import ServerSettings
from ...signals.refusal import attributed_to
from ..registered_client import MEMBERS, OPERATOR_MEMBERS, RegisteredBy, RegisteredClient, is_client_id
from ..stores.sql.registration_tokens import RegistrationToken, RegistrationTokens, make_token, token_digest
from ..stores.sql.registrations import ClientIdTaken, SQLAlchemyRegistrations
from ..stores.tables.client import new_version
from ..tokens.revoked import longest_life
from .authentication import check_own_choice
from .client_id_document import is_client_id_url
from .key_possession import MEMBER, check_possession
from .merge_patch import merge_metadata
from .metadata import describe_client, with_default_scope
from .quota import RegistrationQuota
from .registry import ClientRegistry

log = logging.getLogger("flask_private_key_jwt")

ISSUED_MEMBERS = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""Members that the server issues, and that an update must not contain (RFC 7592 §2.2)."""

_OPERATOR_COLUMNS = (*(name for name in OPERATOR_MEMBERS if MEMBERS[name].has_column), "registered_by")
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ManagedClient:
    """A client that has proved, by its registration access token, that it may manage its registration."""

    client: RegisteredClient
    issued_at: int
    """When it was registered, in seconds since the epoch."""
    access_token: str = field(repr=False)


class SelfRegistration:
    """Lets clients register and manage themselves.

    :param settings: The server's settings.
    :param registry: Builds clients, by the same rules as for the operator.
    :param registrations: Where clients are kept.
    :param tokens: The registration tokens that the operator gave out.
    :param replay: Remembers proofs of key possession.
    :param quota: Counts registrations without a token.
    :param configuration_url: The client configuration endpoint, without query.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        registry: ClientRegistry,
        registrations: SQLAlchemyRegistrations,
        tokens: RegistrationTokens,
        replay: ReplayStore,
        quota: RegistrationQuota,
        configuration_url: str,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._registrations = registrations
        self._tokens = tokens
        self._replay = replay
        self._quota = quota
        self._configuration_url = configuration_url
        if settings.REGISTRATION == "open" and settings.REGISTRATION_SCOPES is None:
            log.warning(
                "OAUTH2_REGISTRATION is open and OAUTH2_REGISTRATION_SCOPES is not set: clients get no scope, no token"
            )

    # --- registration (RFC 7591 §3) ------------------------------------------------------------------------
    def find_permit(self, token: str | None) -> RegistrationToken | None:
        """The registration token of a request; ``None`` if it needs none and has none. This does not use the token.

        :raises MissingRegistrationToken: The request needs a token and has none.
        :raises InvalidRegistrationToken: The token is unknown, used up or expired.
        :raises StoreUnavailable: The database did not answer.
        """
        if token is None:
            if self._settings.REGISTRATION == "open":
                return None
            raise MissingRegistrationToken(
                "no registration token in the Authorization header", cause="registration_token_missing"
            )
        permit = self._tokens.find(token)
        if permit is None:
            raise InvalidRegistrationToken(
                "the registration token is unknown, used up or expired", cause="registration_token_unusable"
            )
        return permit

    def register(
        self, metadata: Mapping[str, Any], permit: RegistrationToken | None, *, address: str | None = None
    ) -> ManagedClient:
        """Register a client. A registration that fails does not use the token.

        :param metadata: What the client sent.
        :param permit: The token that :meth:`find_permit` found.
        :param address: The caller's address.
        :raises InvalidClientMetadata: A member is not acceptable, or the chosen ``client_id`` is taken.
        :raises InvalidRegistrationToken: Others have used up the token in the meantime.
        :raises TooManyRequests: Too many have registered without a token.
        :raises StoreUnavailable: The database did not answer; nothing is registered.
        """
        chosen = {"client_id": metadata.get("client_id")} if permit and permit.may_choose_client_id else {}
        self._check_chosen(chosen.get("client_id"))
        wished = with_default_scope(_without(metadata, OPERATOR_MEMBERS), self._settings)
        built = self._build({**wished, **chosen}, registered_by="client")
        client = _narrow(built, self._scopes_for_new_client(permit, built))
        if permit is None:
            self._quota.take(address)  # a token limits its uses itself
        access_token = make_token()
        try:
            registration = self._registrations.add(
                client, access_token_digest=token_digest(access_token), spend=partial(self._spend, permit)
            )
        except ClientIdTaken:
            raise InvalidClientMetadata(
                f"client_id {client.client_id!r} is registered already", cause="client_id_taken"
            ) from None
        by = f"with registration token {permit.id} ({permit.label!r})" if permit else "openly"
        log.info("client %r registered itself %s, for scope %r", client.client_id, by, " ".join(sorted(client.scope)))
        return ManagedClient(client, registration.created_at, access_token)

    def _check_chosen(self, client_id: object) -> None:
        """Refuse a chosen ``client_id`` that could be the URL of a document.

        A client in the database goes before a document, so this client would get what people allowed the document's
        client. Only the operator may register it.
        """
        if self._settings.CLIENT_ID_METADATA_DOCUMENTS and isinstance(client_id, str) and is_client_id_url(client_id):
            raise InvalidClientMetadata(
                f"client_id {client_id[:255]!r} is for the client whose document is there",
                cause="client_id_of_document",
            )

    def _spend(self, permit: RegistrationToken | None, connection: Connection) -> None:
        if permit is not None and not self._tokens.consume(permit, connection):
            raise InvalidRegistrationToken(
                "the registration token was used up or expired meanwhile", cause="registration_token_spent"
            )

    def _scopes_for_new_client(self, permit: RegistrationToken | None, client: RegisteredClient) -> Collection[str]:
        if self._settings.REGISTRATION_SCOPES is not None:
            return self._settings.REGISTRATION_SCOPES
        # The operator gave out the registration token, so its holder is trusted; a caller without one is not.
        return client.scope if permit else ()

    # --- management (RFC 7592 §2) --------------------------------------------------------------------------
    def authenticate(self, client_id: str | None, access_token: str | None) -> ManagedClient:
        """The client that manages its registration.

        Every cause has the same refusal, so nobody learns which clients there are.

        :param client_id: The ``client_id`` in the URL.
        :param access_token: The registration access token of the request.
        :raises MissingRegistrationToken: The request has none.
        :raises InvalidRegistrationToken: It is not this client's, or the client is disabled, gone or the operator's.
        :raises StoreUnavailable: The database did not answer.
        """
        if access_token is None:
            raise MissingRegistrationToken(
                "no registration access token in the Authorization header", cause="registration_access_token_missing"
            )
        found = self._registrations.find(client_id) if client_id is not None and is_client_id(client_id) else None
        expected = found.access_token_digest if found else None
        if found is None or expected is None:
            raise InvalidRegistrationToken(
                f"client {(client_id or '')[:255]!r} is not one that manages itself", cause="client_not_self_managed"
            )
        if not hmac.compare_digest(expected, token_digest(access_token)):
            raise InvalidRegistrationToken(
                f"the registration access token is not that of client {client_id!r}",
                cause="registration_access_token_mismatch",
            )
        if not found.client.enabled:
            raise InvalidRegistrationToken(f"client {client_id!r} is disabled", cause="client_disabled")
        return ManagedClient(found.client, found.created_at, access_token)

    def replace(self, managed: ManagedClient, metadata: Mapping[str, Any]) -> ManagedClient:
        """Replace everything that the client had registered with *metadata* (RFC 7592 §2.2).

        :raises InvalidClientMetadata: It is not acceptable; the client stays as it was.
        :raises InvalidRegistrationToken: The client was deleted or disabled in the meantime.
        :raises TemporarilyUnavailable: Others keep changing the client, or a store did not answer.
        """
        metadata = without_unset(metadata, keep=("response_types",))
        if "client_id" not in metadata:
            raise InvalidClientMetadata(
                "client_id is missing", cause="client_id_missing", client_id=managed.client.client_id
            )
        wished = with_default_scope(metadata, self._settings)
        return self._change(managed, metadata, lambda _before: wished)

    def merge(self, managed: ManagedClient, patch: Mapping[str, Any]) -> ManagedClient:
        """Merge *patch* into what the client has registered (RFC 7396).

        :raises OAuthError: As :meth:`replace`.
        """
        given = _without(patch, OPERATOR_MEMBERS)
        return self._change(managed, patch, lambda before: merge_metadata(describe_client(before), given))

    def remove(self, managed: ManagedClient) -> None:
        """End the registration (RFC 7592 §2.3): the client and its registration access token are gone.

        :raises InvalidRegistrationToken: The client is gone already.
        :raises StoreUnavailable: The database did not answer.
        """
        client_id = managed.client.client_id
        while not self._registrations.remove(
            self.authenticate(client_id, managed.access_token).client, until=longest_life(self._settings), by="client"
        ):
            pass  # changed in between: look again
        log.info("client %r deleted its registration", client_id)

    def has_token(self, client_id: str) -> bool:
        """Whether a client has a registration access token, which :meth:`reissue` would end.

        :raises StoreUnavailable: The database did not answer.
        """
        found = self._registrations.find(client_id)
        return found is not None and found.access_token_digest is not None

    def reissue(self, client_id: str) -> dict[str, str]:
        """Give a client a new registration access token, for the operator; the old one stops working.

        :return: Its ``registration_client_uri`` and ``registration_access_token``.
        :raises UnknownClient: There is no such client.
        :raises StoreUnavailable: The database did not answer.
        """
        access_token = make_token()
        digest = token_digest(access_token)
        while not self._registrations.set_access_token(self._registry.get(client_id), digest, version=new_version()):
            pass  # changed in between: look again
        log.info("client %r was given a new registration access token", client_id)
        return {"registration_client_uri": self._uri_of(client_id), "registration_access_token": access_token}

    def describe(self, managed: ManagedClient) -> dict[str, Any]:
        """The client information response (RFC 7591 §3.2.1, RFC 7592 §3): what is registered, and how to manage it."""
        client = managed.client
        return {
            "client_id": client.client_id,
            "client_id_issued_at": managed.issued_at,
            "registration_client_uri": self._uri_of(client.client_id),
            "registration_access_token": managed.access_token,
            "response_types": [],  # left out, it would mean "code" (RFC 7591 §2)
            **_without(describe_client(client), OPERATOR_MEMBERS),
        }

    # --- inside --------------------------------------------------------------------------------------------
    def _change(
        self,
        managed: ManagedClient,
        sent: Mapping[str, Any],
        build_metadata: Callable[[RegisteredClient], Mapping[str, Any]],
    ) -> ManagedClient:
        """Build and save a changed client; try again if somebody else changed it at the same time."""
        client_id = managed.client.client_id
        spent: set[Mark] = set()
        with attributed_to(client_id):
            _check_update(sent, client_id)
            for _ in range(_TRIES):
                managed = self.authenticate(client_id, managed.access_token)
                before = managed.client
                after = self._build_update(before, build_metadata(before))
                self._check_possession(sent, before, after, spent)
                # A key that the client removed there stops working at once. The cool-down stays, or each update would
                # cause a fetch.
                renew_keys = "jwks_uri" in sent
                if self._registrations.replace(
                    before, after, by="client", keep=_OPERATOR_COLUMNS, renew_keys=renew_keys
                ):
                    log.info("client %r changed its registration", client_id)
                    return dataclasses.replace(managed, client=after)
            raise TemporarilyUnavailable("the client is being changed by others", cause="client_contended")

    def _build(self, metadata: Mapping[str, Any], *, registered_by: RegisteredBy) -> RegisteredClient:
        return self._registry.build(
            metadata, registered_by=registered_by, max_bytes=self._settings.REGISTRATION_MAX_BYTES
        )

    def _build_update(self, before: RegisteredClient, metadata: Mapping[str, Any]) -> RegisteredClient:
        given = _without(metadata, OPERATOR_MEMBERS)
        built = self._build({**given, "client_id": before.client_id}, registered_by=before.registered_by)
        if built.token_endpoint_auth_method != before.token_endpoint_auth_method:
            check_own_choice(built)
        # Scopes that the operator added stay, and scopes that the operator removed do not come back.
        client = _narrow(built, before.scope | set(self._settings.REGISTRATION_SCOPES or ()))
        kept: dict[str, Any] = {name: getattr(before, name) for name in OPERATOR_MEMBERS}
        kept["default_scope"] = tuple(token for token in before.default_scope if token in client.scope)
        return dataclasses.replace(client, **kept)

    def _check_possession(
        self, sent: Mapping[str, Any], before: RegisteredClient, after: RegisteredClient, spent: set[Mark]
    ) -> None:
        if self._settings.REGISTRATION_KEY_POSSESSION != "required":
            return
        marks = check_possession(
            sent, before=before, after=after, audience=self._uri_of(before.client_id), settings=self._settings
        )
        try:
            remember_once(self._replay, [mark for mark in marks if mark not in spent])
        except Replayed as replayed:
            raise InvalidClientMetadata(f"{MEMBER}: {replayed}", cause=replayed.cause) from None
        spent.update(marks)

    def _uri_of(self, client_id: str) -> str:
        return f"{self._configuration_url}?client_id={quote(client_id, safe='')}"


def _without(metadata: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in names}


def _narrow(client: RegisteredClient, scopes: Collection[str]) -> RegisteredClient:
    """The client with only those of its scopes that are in *scopes*; the answer says so (RFC 7591 §3.2.1)."""
    return dataclasses.replace(client, scope=client.scope & set(scopes))


def _check_update(sent: Mapping[str, Any], client_id: str) -> None:
    """RFC 7592 §2.2: an update names its own client, and has no member that the server issues."""
    if issued := [name for name in ISSUED_MEMBERS if name in sent]:
        raise InvalidClientMetadata(f"{issued[0]} is the server's to issue", cause="server_member_sent")
    if not is_unset(sent.get("client_secret")):
        raise InvalidClientMetadata(
            "client_secret is not one that this server issued: it issues none", cause="client_secret_sent"
        )
    if sent.get("client_id", client_id) != client_id:
        raise InvalidClientMetadata(
            f"client_id {str(sent['client_id'])[:255]!r} is not the client's own", cause="client_id_not_own"
        )
