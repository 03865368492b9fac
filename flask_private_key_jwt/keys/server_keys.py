"""The server's own signing keys: made at first use, encrypted at rest, parsed once (RFC 7517, RFC 8725 §3.5)."""

import base64
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from .. import clock
from ..errors import ConfigurationError, StoreUnavailable
from ..stores.base import ServerKeyStore, StoredKey
from . import jose
from .derived import Secrets

log = logging.getLogger("flask_private_key_jwt")

_PURPOSE = "server signing keys"
_TRIES = 5
_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys as one process read them."""

    signing: jose.PrivateKey
    public: tuple[jose.PublicKey, ...]
    jwks: Mapping[str, Any]
    stored: tuple[StoredKey, ...] = field(repr=False)
    """What the above was parsed from."""
    fresh_until: int
    """When to read them again, in seconds since the epoch."""


class ServerKeys:
    """Gives the key to sign with and the JWKS to publish.

    :param store: Where the keys are kept.
    :param secrets: What their encryption key is derived from.
    :param alg: ``OAUTH2_SIGNING_ALG``.
    :param cache_seconds: How long a process trusts what it read.
    """

    def __init__(self, store: ServerKeyStore, secrets: Secrets, *, alg: str, cache_seconds: int) -> None:
        self._store = store
        self._secrets = secrets
        self._alg = alg
        self._cache_seconds = cache_seconds
        self._lock = threading.Lock()
        self._ring: KeyRing | None = None

    def current(self) -> KeyRing:
        """The keys, read again when the process's copy is old.

        :raises StoreUnavailable: The store is away and there is no copy.
        :raises ConfigurationError: A stored key cannot be decrypted with the application's secrets.
        """
        ring = self._ring
        if ring is not None and clock.now() < ring.fresh_until:
            return ring
        with self._lock:  # one reader; who waited finds the copy fresh
            if self._ring is None or self._ring is ring:
                self._ring = self._read(ring)
            return self._ring

    def _read(self, old: KeyRing | None) -> KeyRing:
        try:
            for _ in range(_TRIES):
                stored = tuple(self._store.load())
                if any(key.alg == self._alg for key in stored):
                    fresh_until = clock.now() + self._cache_seconds
                    if old is not None and old.stored == stored:  # parsed once: an RSA key takes 30 ms
                        return replace(old, fresh_until=fresh_until)
                    return self._open(stored, fresh_until)
                # Several processes may come here at once: the slot is unique, the losers read the winner's key.
                self._store.add(self._make(slot=max((key.slot for key in stored), default=0) + 1))
        except StoreUnavailable:
            if old is None:
                raise
            log.warning("the signing keys cannot be read again; the copy in memory goes on serving")
            return replace(old, fresh_until=clock.now() + _RETRY_SECONDS)
        raise StoreUnavailable("a signing key was added but cannot be read back")

    def _make(self, *, slot: int) -> StoredKey:
        key = jose.generate_private_key(self._alg)
        return StoredKey(
            slot=slot,
            kid=key.public.thumbprint,
            alg=self._alg,
            public_jwk=json.dumps(key.public_jwk()),
            encrypted_private_jwk=self._cipher().encrypt(json.dumps(key.as_jwk()).encode()).decode(),
            created_at=clock.now(),
            signs_from=clock.now(),
        )

    def _open(self, stored: tuple[StoredKey, ...], fresh_until: int) -> KeyRing:
        newest = max((key for key in stored if key.alg == self._alg), key=lambda key: key.slot)
        published = [json.loads(key.public_jwk) for key in stored]
        return KeyRing(
            signing=self._decrypt(newest),
            public=tuple(jose.import_public_jwk(jwk) for jwk in published),
            jwks={"keys": published},
            stored=stored,
            fresh_until=fresh_until,
        )

    def _decrypt(self, key: StoredKey) -> jose.PrivateKey:
        try:
            text = self._cipher().decrypt(key.encrypted_private_jwk.encode())
        except InvalidToken:
            # Never answered with a new key: that would hide a wrong secret and break every token in use.
            raise ConfigurationError(
                f"Signing key {key.kid} cannot be decrypted with this SECRET_KEY. Put the secret it was made with into "
                "SECRET_KEY_FALLBACKS (or OAUTH2_SECRETS)."
            ) from None
        return jose.import_private_key(text)

    def _cipher(self) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in self._secrets.derive(_PURPOSE)])
