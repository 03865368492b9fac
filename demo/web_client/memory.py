"""Values that are kept here and not in the browser: a session cookie is signed, but anyone who has it can read it."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import time
from typing import Any

SIGNED_IN_SECONDS = 8 * 3600
MOST_ENTRIES = 1000
"""Beyond this the oldest is dropped, so that nobody can fill the memory with sign-ins that are never finished."""


class Memory:
    """Values with an end, in this process; an application with several workers takes Redis or its database.

    Authlib keeps state, nonce and code_verifier of sign-ins under way in such an object, by the same three methods.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def set(self, key: str, value: Any, seconds: int) -> None:
        """Keep *value* for *seconds*."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = (time() + seconds, value)
            while len(self._entries) > MOST_ENTRIES:
                self._entries.popitem(last=False)

    def get(self, key: str) -> Any:
        """The value, or ``None`` when there is none any more."""
        with self._lock:
            until, value = self._entries.get(key, (0, None))
        return value if time() < until else None

    def delete(self, key: str) -> None:
        """Forget the value, if it is there."""
        with self._lock:
            self._entries.pop(key, None)


@dataclass(slots=True)
class SignedIn:
    """Somebody who is signed in, and the tokens to act for them."""

    claims: Mapping[str, Any]
    """Of the ID token, after every check."""
    token: dict[str, Any] = field(repr=False)
    """The token response; a refresh puts the new one here."""
    name: str = ""
    lock: Lock = field(default_factory=Lock, repr=False)
    """Held while the token is in use: two refreshes at once would look like a stolen refresh token."""


class People:
    """Who is signed in, by an unguessable handle: the session cookie holds no more than that."""

    def __init__(self) -> None:
        self._memory = Memory()

    def add(self, person: SignedIn) -> str:
        """Keep *person*, and give the handle."""
        handle = secrets.token_urlsafe(32)
        self._memory.set(handle, person, SIGNED_IN_SECONDS)
        return handle

    def find(self, handle: object) -> SignedIn | None:
        """The person of a handle."""
        found: SignedIn | None = self._memory.get(handle) if isinstance(handle, str) else None
        return found

    def forget(self, handle: object) -> None:
        """Sign a person out."""
        if isinstance(handle, str):
            self._memory.delete(handle)
