"""The contracts of the stores. Tests of one contract run over every implementation."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ...database.batches import BATCH_ROWS, Rest, no_rest
from ..registered_client import RegisteredClient


class CounterStore(Protocol):
    """Counts what may happen so many times in a while, for every process of the application."""

    def take(self, name: str, *, most: int, until: int) -> bool:
        """Count one more under *name*, in one atomic step; ``False`` when *most* are counted.

        :param until: When the counter is of no more use, in seconds since the epoch.
        :raises StoreUnavailable: The database did not answer.
        """


class ClientStore(Protocol):
    """Finds registered clients."""

    def find(self, client_id: str) -> RegisteredClient | None:
        """The client's current state, as one frozen snapshot; ``None`` when there is none of exactly this id.

        Unchanged clients give the very same object again, so that callers may cache by identity or version; others
        than the operator's do so once they have authenticated.

        :raises StoreUnavailable: The database did not answer.
        """

    def is_admitted(self, client_id: str) -> bool:
        """Whether exactly this client is registered and enabled now, or is a document. Nothing is fetched to find out.

        :raises StoreUnavailable: The database did not answer.
        """

    def confirm(self, client: RegisteredClient) -> None:
        """Take note that *client* has proved who it is: what :meth:`find` gave is worth keeping in memory.

        Before that, only the operator's clients are kept: whoever else registers must not choose what a process holds.
        """

    def newer(self, client: RegisteredClient) -> RegisteredClient | None:
        """A newer state of *client*, whose keys may have changed; ``None`` when its registration is not a document.

        :raises StoreUnavailable: The database did not answer.
        """


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One of the server's own signing keys, as the database holds it."""

    slot: int
    """1 for the first key ever, then 2, …: unique, so that of several makers one wins."""
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
    """When the operator took it out of use, if ever."""
    version: int = field(default=0, compare=False)
    """Another number after every change; the store sets it."""


def sum_versions(keys: Sequence[StoredKey]) -> int:
    """One number for the state of all *keys*: another one as soon as a key was added, changed or removed."""
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

    def change(self, key: StoredKey) -> None:
        """Write the times and the ciphertext of *key* to the row of its slot; what it is stays as it is.

        :raises StoreUnavailable: The database did not answer.
        """

    def remove(self, slot: int) -> None:
        """Delete the key of *slot*.

        :raises StoreUnavailable: The database did not answer.
        """


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The life of one key of a client, as far as this server saw it; times in seconds since the epoch."""

    thumbprint: str
    """RFC 7638 SHA-256 thumbprint, base64url."""
    added_at: int
    """When it was registered, or first seen where nobody registers it here (``jwks_uri``)."""
    last_used_at: int | None = None
    """When it last signed an assertion that was accepted, to the hour; ``None``: never."""


class ClientKeyUseStore(Protocol):
    """Knows when each key of a client came and when it last signed something; nothing is decided by it."""

    def load(self, client_id: str) -> Mapping[str, KeyUse]:
        """What is known of the keys of exactly this client, by thumbprint.

        :raises StoreUnavailable: The database did not answer.
        """

    def replace(self, client_id: str, thumbprints: Set[str], *, now: int) -> None:
        """Know of exactly these keys: one that stays keeps its times, a new one was added *now*.

        :raises StoreUnavailable: The database did not answer.
        """

    def mark_used(self, client_id: str, thumbprint: str, *, now: int, not_after: int) -> bool:
        """Record that a known key signed *now*, in one atomic step.

        Of several callers at once one gets ``True``.

        :return: ``False`` when the key is not known, or its last recorded use is later than *not_after*.
        :raises StoreUnavailable: The database did not answer.
        """

    def purge(self, *, not_after: int, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Forget the keys of clients that are not registered and signed nothing later than *not_after*; how many.

        Clients that are documents come here without ever being removed.

        :raises StoreUnavailable: The database did not answer.
        """


UNUSED_SECONDS = 7 * 86400
"""When a document that is not fetched any more can be deleted: it has not served for days then."""
NEVER_HAD_SECONDS = 3600
LONGEST_COOLDOWN_SECONDS = 60

DocumentKind = Literal["operator-jwks", "jwks", "client"]
"""Key sets of clients that the operator stands behind, key sets of all others, and registrations that are documents.

One URL can be named as each of them, by different people: what one of them does costs the others nothing.
"""


def kind_of_key_set(*, is_vouched_for: bool) -> DocumentKind:
    """The kind of the document at a client's ``jwks_uri``, by whether the operator stands behind the client."""
    return "operator-jwks" if is_vouched_for else "jwks"


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What a document is kept under."""

    kind: DocumentKind
    url: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that a client publishes, as some worker last fetched it; all times in seconds since the epoch."""

    url: str
    body: str | None = field(repr=False)
    """The JSON text; ``None`` until a first fetch succeeds."""
    fetched_at: int
    """When the fetch that brought it was claimed: it holds nothing that is older."""
    fresh_until: int
    attempted_at: int
    """When a worker last claimed the right to fetch it, whatever came of that."""
    failed_at: int = 0
    """Which claim came to nothing last."""


class FetchedDocumentStore(Protocol):
    """Keeps the documents that were fetched, and lets one worker at a time fetch."""

    def load(self, key: DocumentKey) -> StoredDocument | None:
        """What is known of exactly this document.

        :raises StoreUnavailable: The store did not answer.
        """

    def claim(self, key: DocumentKey, *, now: int, not_before: int) -> bool:
        """Take the right to fetch a document, in one atomic step; ``False`` when someone took it after *not_before*.

        Of several callers at once one gets ``True``; then ``attempted_at`` is *now*.

        :raises StoreUnavailable: The store did not answer.
        """

    def release(self, key: DocumentKey) -> None:
        """End the cool-down: the next request may fetch the document, which stays and serves until then.

        :raises StoreUnavailable: The store did not answer.
        """

    def save(self, key: DocumentKey, body: str, *, fetched_at: int, fresh_until: int) -> None:
        """Replace a document that was claimed at *fetched_at*; nothing happens when a later fetch was faster.

        :raises StoreUnavailable: The store did not answer.
        """

    def fail(self, key: DocumentKey, *, claimed_at: int) -> None:
        """Record that what was claimed then came to nothing: other workers need not wait for it.

        :raises StoreUnavailable: The store did not answer.
        """

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete what nobody has tried to fetch for long, and return how many; safe at any time.

        For long: :data:`UNUSED_SECONDS`, or :data:`NEVER_HAD_SECONDS` for what was never fetched with success.

        :raises StoreUnavailable: The store did not answer.
        """
