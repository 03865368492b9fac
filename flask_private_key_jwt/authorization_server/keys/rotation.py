"""When the server's keys are announced, sign and end: pure functions of the stored keys (OpenID Connect Core §10.1.1).

A key is published when it is made. It signs some time later, until its successor signs. It stays published until every
token it signed has expired and every cached JWKS has been read again. So a verifier always finds the key of a token in
the JWKS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...settings.profiles import FAPI2_ALGS
from ...settings.server import ServerSettings
from ...settings.values import ASYMMETRIC_ALGS
from ..stores.contracts import StoredKey


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long each part of a key's life lasts, in seconds."""

    announce: int
    """From its publication to its first signature."""
    sign: int
    """From its first signature to its successor's."""
    retire: int
    """From its successor's first signature to the end of its publication."""
    algs: tuple[str, ...] = ASYMMETRIC_ALGS
    """Algorithms that a key may still sign with while its successor is announced."""


def load_schedule(settings: ServerSettings) -> Schedule:
    """The schedule of a server; no key ends before every token it signed has expired."""
    lifetime = max(settings.ACCESS_TOKEN_LIFETIME_SECONDS, settings.ID_TOKEN_LIFETIME_SECONDS)
    longest = lifetime + settings.CLOCK_SKEW_SECONDS + settings.KEY_CACHE_SECONDS
    return Schedule(
        announce=settings.KEY_ANNOUNCE_SECONDS,
        sign=settings.KEY_SIGN_SECONDS,
        retire=max(settings.KEY_RETIRE_SECONDS, longest),
        algs=FAPI2_ALGS if settings.PROFILE == "fapi2" else ASYMMETRIC_ALGS,
    )


def find_signer(keys: Sequence[StoredKey], *, now: int) -> StoredKey | None:
    """The key that signs now: the newest key whose time has come, or if there is none, the first key.

    It falls back to the first key so that a worker whose clock is slow does not make another one.
    """
    in_use = _in_use(keys)
    started = [key for key in in_use if key.signs_from <= now]
    return max(started, key=lambda key: key.slot, default=None) or min(in_use, key=lambda key: key.slot, default=None)


def find_announced(keys: Sequence[StoredKey], *, now: int) -> StoredKey | None:
    """The key that is published but does not sign yet."""
    signer = find_signer(keys, now=now)
    coming = [key for key in _in_use(keys) if key.signs_from > now and key != signer]
    return max(coming, key=lambda key: key.slot, default=None)


def find_next_start(keys: Sequence[StoredKey], schedule: Schedule, *, alg: str, now: int) -> int | None:
    """When a key that has to be made now will start to sign; ``None`` if no key has to be made.

    :param alg: ``OAUTH2_SIGNING_ALG``. After a change, the next key is due at once, but announced like any other.
    """
    signer = find_signer(keys, now=now)
    if signer is None or signer.alg not in schedule.algs:  # the profile forbids it, so the next key must sign at once
        return now
    newest = max(_in_use(keys), key=lambda key: key.slot)
    if newest.signs_from > now:  # the next one is made already; workers with other settings do not add a third
        return None
    if newest.alg != alg:
        return now + schedule.announce
    if now < newest.signs_from + schedule.sign - schedule.announce:
        return None
    # If no request came when the next key was due, it is still announced first.
    return max(newest.signs_from + schedule.sign, now + schedule.announce)


def find_end(key: StoredKey, keys: Sequence[StoredKey], schedule: Schedule) -> int | None:
    """When a key's publication ends; ``None`` as long as it has no successor."""
    if key.retired_at is not None:
        return key.retired_at
    successors = [
        other.signs_from
        for other in keys
        if other.slot > key.slot and (other.retired_at is None or other.retired_at > other.signs_from)
    ]
    return min(successors) + schedule.retire if successors else None


def find_published(keys: Sequence[StoredKey], schedule: Schedule, *, now: int) -> tuple[StoredKey, ...]:
    """The keys that belong in the JWKS now, by slot."""
    ends = ((key, find_end(key, keys, schedule)) for key in keys)
    return tuple(key for key, end in ends if end is None or now < end)


def _in_use(keys: Sequence[StoredKey]) -> list[StoredKey]:
    return [key for key in keys if key.retired_at is None]
