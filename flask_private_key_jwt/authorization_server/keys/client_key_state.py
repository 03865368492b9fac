"""What is known about a client's keys, and the warnings that the operator should get before requests fail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..registered_client import RegisteredClient
from ..stores.contracts import KeyUse
from .client_keys import ClientKey, load_client_keys

DAY_SECONDS = 86400
EXPIRY_NOTICE_SECONDS = 30 * DAY_SECONDS
"""How long before a certificate ends the operator is warned, in seconds."""
UNUSED_NOTICE_SECONDS = DAY_SECONDS
"""How long a new key may wait for its first signature before the operator is warned, in seconds."""

MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class ClientKeyState:
    """One key of a client and its life so far; times in seconds since the epoch."""

    key: ClientKey
    added_at: int | None = None
    """When it was registered or first seen; ``None``: unknown, and it has not signed since."""
    last_used_at: int | None = None
    """When it last signed, to the hour; ``None``: never. Two certificates of one key share it."""

    @property
    def name(self) -> str:
        """Its name for people: its ``kid``, truncated to 100 characters, or its thumbprint if it has no ``kid``."""
        return (self.key.public.kid or self.key.public.thumbprint)[:MAX_NAME_CHARACTERS]


def find_thumbprints(client: RegisteredClient) -> frozenset[str]:
    """The RFC 7638 SHA-256 thumbprints, base64url, of the usable keys in a client's ``jwks``."""
    return frozenset(key.public.thumbprint for key in load_client_keys(client))


def find_states(keys: Iterable[ClientKey], uses: Mapping[str, KeyUse]) -> tuple[ClientKeyState, ...]:
    """Join keys with what is known about their use.

    :param uses: By thumbprint.
    """
    known = ((key, uses.get(key.public.thumbprint)) for key in keys)
    return tuple(
        ClientKeyState(key, use.added_at, use.last_used_at) if use else ClientKeyState(key) for key, use in known
    )


def find_warnings(states: Sequence[ClientKeyState], *, now: int) -> list[str]:
    """What an operator should act on, one clause each: certificates that end soon, new keys that are not used.

    :param states: All keys of one client.
    """
    current = [state for state in states if state.key.is_current(now=now)]
    return [
        *(warning for state in current if (warning := _expiry(state, now=now))),
        *(warning for state in current if (warning := _idleness(state, states, now=now))),
    ]


def _expiry(state: ClientKeyState, *, now: int) -> str | None:
    """Warn about a certificate that ends soon."""
    certificate = state.key.certificate
    if certificate is None or certificate.not_after - now > EXPIRY_NOTICE_SECONDS:
        return None
    day = datetime.fromtimestamp(certificate.not_after, UTC).strftime("%Y-%m-%d")
    return f"the certificate of key {state.name!r} expires in {_days(certificate.not_after - now)}, on {day}"


def _idleness(state: ClientKeyState, states: Sequence[ClientKeyState], *, now: int) -> str | None:
    """Warn about a key that signs nothing while an older one still signs: the client may have missed the change."""
    if state.added_at is None or state.last_used_at is not None:
        return None
    added_at, certificate = state.added_at, state.key.certificate
    usable_since = max(added_at, certificate.not_before) if certificate else added_at
    older = [
        other
        for other in states
        if (other.added_at or 0) < added_at and other.last_used_at is not None and other.last_used_at > usable_since
    ]
    if now - usable_since <= UNUSED_NOTICE_SECONDS or not older:
        return None
    age = _days(now - added_at)
    return f"key {state.name!r}, added {age} ago, has signed nothing yet, while {older[0].name!r} goes on signing"


def _days(seconds: int) -> str:
    days = seconds // DAY_SECONDS
    return "less than a day" if days < 1 else f"{days} day{'' if days == 1 else 's'}"
