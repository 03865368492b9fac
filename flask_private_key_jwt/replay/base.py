"""The contract of a replay store: it remembers marks, all or none, in one atomic step."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from time import perf_counter
from typing import Any, NamedTuple, Protocol, cast

from ..database.batches import BATCH_ROWS, Rest, no_rest
from ..errors import ConfigurationError
from ..signals.metering import Meter, Observer

ASSERTION = "client_assertion"


PROOF = "dpop_proof"


KEY_POSSESSION = "key_possession"


CHALLENGE = "code_challenge"


READINESS = "readiness"
"""Written to find out whether a store can be written to; nothing is used."""


CAUSES = {
    ASSERTION: "assertion_replayed",
    PROOF: "proof_replayed",
    KEY_POSSESSION: "key_possession_replayed",
    CHALLENGE: "code_challenge_reused",
}
"""What was used before -> the code of the private reason."""


class Mark(NamedTuple):
    """The record that a ``jti`` was used: that of an assertion, a DPoP proof or a proof of key possession.

    Under ``atproto`` also that a ``code_challenge`` was.
    """

    purpose: str
    """``client_assertion``, ``dpop_proof``, ``key_possession``, ``code_challenge`` or, when a store is only tried,
    ``readiness``; marks of different purposes never collide."""
    server: str
    """The server where it is used: an authorization server's issuer, or an API's issuer and identifier. Several servers
    may share a store."""
    owner: str
    """The maker of the ``jti``: the client_id, or the thumbprint of the key that signed."""
    jti: str
    """The value that may be used only once."""
    until: int
    """When the mark may be forgotten, in seconds since the epoch."""
    used_from: int
    """The earliest second in which the ``jti`` can have been used. A store that may have lost marks from that second or
    later refuses the mark."""

    def digest(self) -> bytes:
        """32 bytes that identify the mark; the ``jti`` itself is never stored."""
        # \x00 keeps owner "a" + jti "bc" apart from owner "ab" + jti "c"; neither a URL nor a client_id holds a NUL.
        text = f"{self.purpose}\x00{self.server}\x00{self.owner}\x00{self.jti}"
        return sha256(text.encode("utf-8", "surrogatepass")).digest()


def name_api(*, issuer: str, resource: str) -> str:
    """The name of an API in :attr:`Mark.server`: the same for all its instances, and different from other servers.

    :param issuer: The issuer of the tokens that it accepts.
    :param resource: Its own identifier.
    """
    return f"{issuer} {resource}"  # neither contains a space


class Replayed(Exception):
    """The store had one of the marks already; nothing was recorded.

    :param mark: The first of the given marks that the store had.
    """

    def __init__(self, mark: Mark) -> None:
        super().__init__(f"jti of the {mark.purpose} was used before")
        self.mark = mark

    @property
    def cause(self) -> str:
        """The code of the reason, for a refusal."""
        return CAUSES[self.mark.purpose]


def build_digests(marks: Sequence[Mark]) -> list[bytes]:
    """The digests of *marks*, in the same order.

    :raises Replayed: A mark is given twice. A store that reads first and writes afterwards would miss that.
    """
    digests: list[bytes] = []
    for mark in marks:
        digest = mark.digest()
        if digest in digests:
            raise Replayed(mark)
        digests.append(digest)
    return digests


class ReplayStore(Protocol):
    """Remembers marks until they expire, for every process of the application."""

    def remember(self, marks: Sequence[Mark]) -> None:
        """Record all *marks* or none, in one atomic step.

        A mark whose ``until`` has passed (``until < now``) counts as forgotten. Without marks, do nothing.

        :raises Replayed: The store has one of the marks already, or one is given twice.
        :raises StoreUnavailable: The store did not answer; nothing may be issued.
        """

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete marks that expired long ago, and return how many; safe at any time.

        :param batch: Most rows that one transaction reads.
        :param rest: Called between two transactions, with the duration of the last one in seconds.
        :raises StoreUnavailable: The store did not answer.
        """


class AsyncReplayStore(Protocol):
    """A replay store for an event loop; its methods have the rules of those of :class:`ReplayStore`."""

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`ReplayStore.remember`. The caller may be cancelled, or stop waiting, at any time."""

    async def purge(self) -> int:
        """See :meth:`ReplayStore.purge`."""


def remember_once(store: ReplayStore | AsyncReplayStore, marks: Sequence[Mark], meter: Meter | None = None) -> None:
    """Record *marks* in a store, which may be the application's own.

    :param meter: Whose observer is told how long the store took.
    :raises Replayed: See :meth:`ReplayStore.remember`.
    :raises StoreUnavailable: See :meth:`ReplayStore.remember`.
    :raises ConfigurationError: The store returned something: it may have meant that a mark is there already.
    """
    observer = None if meter is None else meter.observer
    if observer is None:
        returned = cast(Any, store).remember(marks)
    else:
        with _measured(observer):
            returned = cast(Any, store).remember(marks)
    if returned is not None:
        check_returned(store, returned)


def check_returned(store: object, returned: object) -> None:
    """Check what ``remember()`` of a store returned.

    :raises ConfigurationError: It is not ``None``.
    """
    if returned is not None:
        raise ConfigurationError(
            f"remember() of the replay store {type(store).__name__} returned a {type(returned).__name__}: it has to "
            "return None, and to raise Replayed for a mark that is there already."
        )


def measured(meter: Meter | None) -> AbstractContextManager[None]:
    """Tell the observer of *meter*, if there is one, how long the replay store takes for what is done inside."""
    observer = None if meter is None else meter.observer
    return _NOT_MEASURED if observer is None else _measured(observer)


_NOT_MEASURED = nullcontext()


@contextmanager
def _measured(observer: Observer) -> Iterator[None]:
    started, answered = perf_counter(), False
    try:
        yield
        answered = True
    except Replayed:
        answered = True
        raise
    finally:
        observer.note_store("replay", perf_counter() - started, answered=answered)
