"""The contracts of the stores. Tests of one contract run over every implementation."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ...database.batches import BATCH_ROWS, Rest, no_rest
from ...signals.events import KeyChange
from ..registered_client import RegisteredClient


class CounterStore(Protocol):
    """Counts what may only happen so many times in a certain time, for all processes of the application."""

    def take(self, name: str, *, most: int, until: int) -> bool:
        """Count one more under *name*, in one atomic step; ``False`` if *most* are counted already.

        :param until: When the counter is no longer needed, in seconds since the epoch.
        :raises StoreUnavailable: The database did not answer.
        """


class ClientStore(Protocol):
    """Finds registered clients."""

    def find(self, client_id: str) -> RegisteredClient | None:
        """The frozen snapshot of the client as it is now; ``None`` if no client has exactly this ``client_id``.

        An unchanged client is the same object again, so that callers may cache by identity or version. For a client
        that registered itself this is so only after it has authenticated.

        :raises StoreUnavailable: The database did not answer.
        """

    def is_admitted(self, client_id: str) -> bool:
        """Whether exactly this client is registered and enabled now, or may be registered by a document.

        Nothing is fetched.

        :raises StoreUnavailable: The database did not answer.
        """

    def is_taken(self, client_id: str) -> bool:
        """Whether a client has exactly this ``client_id``, also if it is disabled, or may have it by a document.

        Nothing is fetched.

        :raises StoreUnavailable: The database did not answer.
        """

    def confirm(self, client: RegisteredClient) -> None:
        """Note that *client* has proved who it is: its snapshot may be kept in memory now.

        Before that, only snapshots of the operator's clients are kept: others must not be able to fill the memory.
        """

    def newer(self, client: RegisteredClient) -> RegisteredClient | None:
        """A newer snapshot of *client*, whose keys may have changed; ``None`` if there is none.

        Only a client registered by a document can have a newer one.

        :raises StoreUnavailable: The database did not answer.
        """


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One of the server's own signing keys, as the database has it."""

    slot: int
    """1 for the first key ever, then 2, …: unique, so that only one of several processes can make the next key."""
    kid: str
    alg: str
    public_jwk: str
    """The public JWK, JSON text."""
    encrypted_private_jwk: str
    """The private JWK, encrypted (Fernet)."""
    created_at: int
    """When it was made and announced in the JWKS, in seconds since the epoch."""
    signs_from: int
    """When it starts to sign, in seconds since the epoch."""
    retired_at: int | None = None
    """When the operator retired it, in seconds since the epoch; ``None``: never."""
    version: int = field(default=0, compare=False)
    """Another number after every change; the store sets it."""


def sum_versions(keys: Sequence[StoredKey]) -> int:
    """One number for the state of all *keys*; it changes when a key is added, changed or removed."""
    return sum(key.version for key in keys)


class ServerKeyStore(Protocol):
    """Keeps the server's own signing keys."""

    def load(self) -> Sequence[StoredKey]:
        """All keys, by slot.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_version(self) -> int:
        """:func:`sum_versions` of the keys as they are now.

        :raises StoreUnavailable: The database did not answer.
        """

    def add(self, key: StoredKey) -> bool:
        """Insert *key*; ``False`` when another process took its slot first.

        :raises StoreUnavailable: The database did not answer.
        """

    def change(self, key: StoredKey, what: KeyChange) -> None:
        """Write the times and the ciphertext of *key* to the row of its slot; the key itself stays the same.

        :param what: What changes.
        :raises StoreUnavailable: The database did not answer.
        """

    def remove(self, key: StoredKey) -> None:
        """Delete the key of this slot.

        :raises StoreUnavailable: The database did not answer.
        """


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What this server knows about one key of a client; times in seconds since the epoch."""

    thumbprint: str
    """RFC 7638 SHA-256 thumbprint, base64url."""
    added_at: int
    """When it was registered; a key at a ``jwks_uri``: when it was first seen."""
    last_used_at: int | None = None
    """When it last signed an accepted assertion or request object, to the hour; ``None``: never."""


class ClientKeyUseStore(Protocol):
    """Knows when each key of a client was added and when it last signed. It is only for information."""

    def load(self, client_id: str) -> Mapping[str, KeyUse]:
        """What is known of the keys of exactly this client, by thumbprint.

        :raises StoreUnavailable: The database did not answer.
        """

    def replace(self, client_id: str, thumbprints: Set[str], *, now: int) -> None:
        """Keep exactly these keys: a known key keeps its times, a new key was added *now*.

        :raises StoreUnavailable: The database did not answer.
        """

    def mark_used(self, client_id: str, thumbprint: str, *, now: int, not_after: int) -> bool:
        """Record that a known key signed *now*, in one atomic step.

        Only one of several callers at the same time gets ``True``.

        :return: ``False`` if the key is not known, or its last recorded use is later than *not_after*.
        :raises StoreUnavailable: The database did not answer.
        """

    def purge(self, *, not_after: int, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Forget the keys of clients not in the database that signed nothing after *not_after*; return how many.

        Clients registered by a document are never in the database, so nothing else removes their keys.

        :raises StoreUnavailable: The database did not answer.
        """


@dataclass(frozen=True, slots=True)
class StoredClientSecret:
    """A shared secret of a client, as the database has it; times in seconds since the epoch."""

    client_id: str
    name: str
    """What people call it: 8 hex digits, unique for the client."""
    method: str
    """The one method it is for, as in ``client_secret_basic``."""
    kept: str = field(repr=False)
    """What is kept of it: an HMAC, or its encrypted octets; :mod:`..keys.client_secrets` knows."""
    created_at: int
    expires_at: int | None = None
    """From when on it is refused; ``None``: only ``OAUTH2_CLIENT_SECRETS_UNTIL`` decides."""
    last_used_at: int | None = None
    """When the client last authenticated with it, to the hour; ``None``: never."""


class ClientSecretStore(Protocol):
    """Keeps the secrets that the operator gave to clients."""

    def load(self, client_id: str) -> Sequence[StoredClientSecret]:
        """The secrets of exactly this client, the oldest first.

        :raises StoreUnavailable: The database did not answer.
        """

    def all(self) -> Sequence[StoredClientSecret]:
        """The secrets of all clients, by ``client_id``, the oldest first.

        :raises StoreUnavailable: The database did not answer.
        """

    def add(self, secret: StoredClientSecret, *, others_end_at: int | None = None) -> None:
        """Keep a new secret, in one transaction with the end of others.

        :param others_end_at: When the client's other secrets for the same method end, unless they end before.
        :raises StoreUnavailable: The database did not answer.
        """

    def end(self, client_id: str, name: str | None, *, expires_at: int | None) -> int:
        """Set the end of one secret, or of all of the client's; return of how many.

        :raises StoreUnavailable: The database did not answer.
        """

    def remove(self, client_id: str, name: str | None) -> int:
        """Delete one secret, or all of the client's; return how many.

        :raises StoreUnavailable: The database did not answer.
        """

    def mark_used(self, secret: StoredClientSecret, *, now: int, not_after: int) -> bool:
        """Record that a client authenticated with *secret* now, in one atomic step.

        :return: ``False`` if the secret is gone, or its last recorded use is later than *not_after*.
        :raises StoreUnavailable: The database did not answer.
        """

    def keep_anew(self, secret: StoredClientSecret, kept: str) -> None:
        """Replace what is kept of *secret*, unless somebody else has done so.

        :raises StoreUnavailable: The database did not answer.
        """


UNUSED_SECONDS = 7 * 86400
"""A document that nobody has tried to fetch for this time can be deleted; it has not been used for days then."""
NEVER_HAD_SECONDS = 3600
LONGEST_COOLDOWN_SECONDS = 60

DocumentKind = Literal["operator-jwks", "jwks", "client"]
"""Key sets of clients that the operator stands behind, key sets of all others, and documents that register clients.

Different people may name one URL as different kinds: what happens to one kind does not affect the others.
"""


def kind_of_key_set(*, is_vouched_for: bool) -> DocumentKind:
    """The kind of the document at a client's ``jwks_uri``, by whether the operator stands behind the client."""
    return "operator-jwks" if is_vouched_for else "jwks"


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """The key under which a document is kept."""

    kind: DocumentKind
    url: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that a client publishes, as some worker last fetched it; all times in seconds since the epoch."""

    url: str
    body: str | None = field(repr=False)
    """The JSON text; ``None`` until a first fetch succeeds."""
    fetched_at: int
    """When its fetch was claimed: the document is not older than this."""
    fresh_until: int
    attempted_at: int
    """When a worker last claimed the right to fetch it, with or without success."""
    failed_at: int = 0
    """The time of the last claim whose fetch failed."""


@dataclass(frozen=True, slots=True)
class KeptRefusal:
    """A refused request, as ``flask oauth2 explain`` tells it."""

    reference: str
    """The id in the answer's ``Error-Reference``."""
    refused_at: int
    """In seconds since the epoch."""
    endpoint: str
    error: str
    """The public error code."""
    cause: str
    client_id: str | None
    """The client, as far as the request named one; it need not have proved who it is."""
    address: str
    """The caller's network, see :func:`.caller_network.network_of`."""
    reason: str = field(repr=False)
    details: str | None = field(repr=False)
    """See :attr:`.errors.OAuthError.details`, as JSON."""


class FetchedDocumentStore(Protocol):
    """Keeps the documents that were fetched, and lets one worker at a time fetch."""

    def load(self, key: DocumentKey) -> StoredDocument | None:
        """What is known of exactly this document.

        :raises StoreUnavailable: The store did not answer.
        """

    def claim(self, key: DocumentKey, *, now: int, not_before: int) -> bool:
        """Claim the right to fetch a document, in one atomic step; ``False`` if it was claimed after *not_before*.

        Only one of several callers at the same time gets ``True``; then ``attempted_at`` is *now*.

        :raises StoreUnavailable: The store did not answer.
        """

    def release(self, key: DocumentKey) -> None:
        """End the cool-down: the next request may fetch the document. The kept one stays in use until then.

        :raises StoreUnavailable: The store did not answer.
        """

    def save(self, key: DocumentKey, body: str, *, fetched_at: int, fresh_until: int) -> None:
        """Replace a document whose fetch was claimed at *fetched_at*; nothing happens if a later fetch was faster.

        :raises StoreUnavailable: The store did not answer.
        """

    def fail(self, key: DocumentKey, *, claimed_at: int) -> None:
        """Record that the fetch claimed at *claimed_at* failed: other workers need not wait for it.

        :raises StoreUnavailable: The store did not answer.
        """

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete documents that nobody has tried to fetch for long, and return how many; safe at any time.

        For long: :data:`UNUSED_SECONDS`, or :data:`NEVER_HAD_SECONDS` if no fetch ever succeeded.

        :raises StoreUnavailable: The store did not answer.
        """
