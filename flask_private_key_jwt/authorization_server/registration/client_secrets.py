"""The operator's side of shared secrets: given to a client, replaced, ended and taken away. Nobody else gives one."""

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import clock
from ...errors import InvalidClientMetadata, UnknownClient
from ...jose import jose
from ...settings.server import ServerSettings
from ...settings.values import read_moment
from ..client_auth import client_secret_basic, client_secret_jwt, client_secret_post
from ..keys.client_secrets import ClientSecrets, SecretNotAccepted, check_may_have_secrets, check_secrets_count
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientSecretStore, StoredClientSecret
from ..stores.sql.registrations import SQLAlchemyRegistrations

METHODS = (client_secret_basic.METHOD, client_secret_post.METHOD, client_secret_jwt.METHOD)
"""The methods that a secret can be for."""

MAX_SECRETS = 5
"""Most secrets of one client: each of them may have to be compared."""

OVERLAP_SECONDS = 86400
"""How long an old secret counts after :meth:`ClientSecretRegistry.replace`, if nothing else is said."""

_NEW_SECRET_BYTES = 48
"""64 characters of base64url: long enough for HS512, and the same when they are form-urlencoded."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret of a client, without the secret itself; times in seconds since the epoch."""

    client_id: str
    """The client."""
    name: str
    """What it is called: 8 hex digits."""
    method: str
    """The one method it is for: ``client_secret_basic``, ``client_secret_post`` or ``client_secret_jwt``."""
    created_at: int
    """When it was given."""
    expires_at: int | None
    """From when on it is refused; ``None``: only ``OAUTH2_CLIENT_SECRETS_UNTIL`` decides."""
    last_used_at: int | None
    """When the client last authenticated with it, to the hour; ``None``: never."""
    counts: bool
    """Whether it is accepted now."""


@dataclass(frozen=True, slots=True)
class GivenSecret:
    """A new secret. This is the only time it can be read."""

    secret: str = field(repr=False)
    """The secret itself."""
    described: ClientSecret
    """All that is known of it."""


class ClientSecretRegistry:
    """Gives clients secrets for a while, and takes them away; ``oauth.clients.secrets``.

    It needs ``OAUTH2_CLIENT_SECRETS_UNTIL``. Every change counts at once, on every worker.
    """

    def __init__(
        self,
        settings: ServerSettings,
        registrations: SQLAlchemyRegistrations,
        store: ClientSecretStore,
        client_secrets: ClientSecrets,
    ) -> None:
        self._settings = settings
        self._registrations = registrations
        self._store = store
        self._client_secrets = client_secrets

    def give(
        self,
        client_id: str,
        *,
        secret: str | Mapping[str, Any] | None = None,
        method: str | None = None,
        alg: str | None = None,
        until: str | None = None,
    ) -> GivenSecret:
        """Give a client one more secret. Those that it has stay.

        :param secret: The secret, of 32 characters or more; for ``client_secret_jwt`` also a JWK with ``kty: oct``.
            Default: a new random one.
        :param method: The method it is for; default: the one the client is registered for, or ``client_secret_basic``.
        :param alg: For ``client_secret_jwt``: HS256 (the default), HS384 or HS512.
        :param until: The client's own date: an ISO 8601 date or time in UTC, exclusive. Default: only
            ``OAUTH2_CLIENT_SECRETS_UNTIL`` ends it.
        :raises UnknownClient: There is none in the database; a client registered by a document never is.
        :raises InvalidClientMetadata: The secret is not acceptable, secrets are switched off or over, the client has
            too many, is public, or registered itself.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self._get(client_id)
        chosen = method or self._usual_method(client)
        made = secrets.token_urlsafe(_NEW_SECRET_BYTES) if secret is None else secret
        stored = self._build(client, made, method=chosen, alg=alg, expires_at=_read_until(until))
        self._make_room(client_id)
        self._store.add(stored)
        return self._given(made, stored)

    def replace(
        self,
        client_id: str,
        *,
        secret: str | Mapping[str, Any] | None = None,
        method: str | None = None,
        overlap_seconds: int = OVERLAP_SECONDS,
    ) -> GivenSecret:
        """Give a client a new secret, for the same method and algorithm and with the same end as its newest one.

        :param secret: As in :meth:`give`.
        :param method: Which secrets are replaced; default: those for the method of its newest one.
        :param overlap_seconds: How long the old ones still count; 0: no longer.
        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: It has no secret, or as in :meth:`give`.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self._get(client_id)
        present = [old for old in self._store.load(client_id) if method in (None, old.method)]
        if not present:
            raise _refusal(f"client {client_id!r} has no secret to replace", cause="client_secret_unknown")
        newest = present[-1]
        alg = self._find_alg(newest)
        made = secrets.token_urlsafe(_NEW_SECRET_BYTES) if secret is None else secret
        stored = self._build(client, made, method=newest.method, alg=alg, expires_at=newest.expires_at)
        self._make_room(client_id)
        self._store.add(stored, others_end_at=clock.now() + overlap_seconds)
        self._drop_ended(client_id)
        return self._given(made, stored)

    def end(self, client_id: str, *, until: str | None, name: str | None = None) -> None:
        """Set the client's own date: when its secrets end.

        :param until: As in :meth:`give`; ``None``: only ``OAUTH2_CLIENT_SECRETS_UNTIL`` ends them.
        :param name: The one secret that is meant; default: all of the client's.
        :raises UnknownClient: There is no such client.
        :raises InvalidClientMetadata: It has no such secret, or *until* is not a date.
        :raises StoreUnavailable: The database did not answer.
        """
        self._get(client_id)
        if not self._store.end(client_id, name, expires_at=_read_until(until)):
            raise _unknown(client_id, name)

    def remove(self, client_id: str, *, name: str | None = None) -> int:
        """Take a secret away from a client; it is refused from the next request on.

        :param name: The one secret that is meant; default: all of the client's.
        :return: How many were removed.
        :raises UnknownClient: There is no such client.
        :raises InvalidClientMetadata: It has no such secret.
        :raises StoreUnavailable: The database did not answer.
        """
        self._get(client_id)
        removed = self._store.remove(client_id, name)
        if not removed:
            raise _unknown(client_id, name)
        return removed

    def all(self, client_id: str | None = None) -> list[ClientSecret]:
        """The secrets of one client, or of all, by ``client_id``, the oldest first.

        :raises StoreUnavailable: The database did not answer.
        """
        found = self._store.all() if client_id is None else self._store.load(client_id)
        return [self._describe(stored) for stored in found]

    def check(self, secret: str | Mapping[str, Any], *, method: str, alg: str | None = None) -> None:
        """Check that *secret* is one that :meth:`give` accepts; nothing is kept.

        :raises InvalidClientMetadata: It is not.
        """
        self._keep("", secret, method=method, alg=alg)

    def has(self, client_id: str, secret: str, *, method: str) -> bool:
        """Whether *secret* is one of the client's secrets for *method*.

        :raises StoreUnavailable: The database did not answer.
        """
        stored = [known for known in self._store.load(client_id) if known.method == method]
        if method != client_secret_jwt.METHOD:
            return any(self._client_secrets.is_password(known, secret) for known in stored)
        return any(
            (key := self._client_secrets.find_key(known)) is not None and key.octets == secret.encode()
            for known in stored
        )

    # --- inside ---------------------------------------------------------------------------------------------
    def _get(self, client_id: str) -> RegisteredClient:
        found = self._registrations.find(client_id)
        if found is None:
            raise UnknownClient(f"No client {client_id!r} is registered.")
        return found.client

    def _usual_method(self, client: RegisteredClient) -> str:
        registered = client.token_endpoint_auth_method
        return registered if registered in METHODS else client_secret_basic.METHOD

    def _build(
        self,
        client: RegisteredClient,
        secret: str | Mapping[str, Any],
        *,
        method: str,
        alg: str | None,
        expires_at: int | None,
    ) -> StoredClientSecret:
        try:
            check_secrets_count(self._settings)
            check_may_have_secrets(client, self._settings)
        except SecretNotAccepted as problem:
            raise _refusal(f"client {client.client_id!r} gets no secret: {problem}", cause=problem.cause) from None
        if expires_at is not None and clock.is_over(expires_at):
            raise _refusal("the date of the secret is over", cause="client_secret_over")
        kept = self._keep(client.client_id, secret, method=method, alg=alg)
        return StoredClientSecret(client.client_id, secrets.token_hex(4), method, kept, clock.now(), expires_at)

    def _keep(self, client_id: str, secret: str | Mapping[str, Any], *, method: str, alg: str | None) -> str:
        if method not in METHODS:
            raise _refusal(f"method {method[:100]!r} is not {' or '.join(METHODS)}", cause="client_secret_method")
        try:
            if method == client_secret_jwt.METHOD:
                return self._client_secrets.keep_key(jose.import_symmetric_key(secret, alg=alg))
            if alg is not None:
                raise jose.JoseProblem(f"alg {alg!r} is for {client_secret_jwt.METHOD} only", cause="alg")
            if not isinstance(secret, str):
                raise jose.JoseProblem("the secret is not a string", cause="not_text")
            return self._client_secrets.keep_password(client_id, secret)
        except jose.JoseProblem as problem:
            refusal = problem.as_refusal(InvalidClientMetadata, "client secret")
            refusal.add_note(refusal.reason)
            raise refusal from None

    def _find_alg(self, stored: StoredClientSecret) -> str | None:
        key = self._client_secrets.find_key(stored) if stored.method == client_secret_jwt.METHOD else None
        return None if key is None else key.alg

    def _make_room(self, client_id: str) -> None:
        self._drop_ended(client_id)
        if len(self._store.load(client_id)) >= MAX_SECRETS:
            raise _refusal(
                f"client {client_id!r} has {MAX_SECRETS} secrets already: remove one", cause="client_secret_too_many"
            )

    def _drop_ended(self, client_id: str) -> None:
        """Delete the client's secrets that ended: one that was replaced without an overlap is gone at once."""
        for stored in self._store.load(client_id):
            if stored.expires_at is not None and clock.is_over(stored.expires_at):
                self._store.remove(client_id, stored.name)

    def _given(self, secret: str | Mapping[str, Any], stored: StoredClientSecret) -> GivenSecret:
        text = secret if isinstance(secret, str) else str(secret.get("k", ""))
        return GivenSecret(text, self._describe(stored))

    def _describe(self, stored: StoredClientSecret) -> ClientSecret:
        known = {name.name: getattr(stored, name.name) for name in dataclasses.fields(stored) if name.name != "kept"}
        until = self._settings.client_secrets_until
        ends = [end for end in (until, stored.expires_at) if end is not None]
        return ClientSecret(**known, counts=until is not None and not clock.is_over(min(ends)))


def _read_until(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return read_moment(text)
    except ValueError as error:
        raise _refusal(f"the date {text[:40]!r} {error}", cause="client_secret_until") from None


def _unknown(client_id: str, name: str | None) -> InvalidClientMetadata:
    which = "no secret" if name is None else f"no secret {name[:40]!r}"
    return _refusal(f"client {client_id!r} has {which}", cause="client_secret_unknown")


def _refusal(reason: str, *, cause: str) -> InvalidClientMetadata:
    """A refusal whose traceback shows the private reason, because the operator calls the registry, not a client."""
    error = InvalidClientMetadata(reason, cause=cause)
    error.add_note(reason)
    return error
