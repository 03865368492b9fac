"""The server's own signing keys: made when they are due, encrypted at rest, parsed once (RFC 7517, RFC 8725 §3.5).

There is no thread: the process that reads the keys and finds that one is due makes it. The rules are in
``rotation.py``. A process uses its copy of the keys as long as their version in the database is the same, so a retired
key signs and verifies nothing from the next request on, on every worker.
"""

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.fernet import InvalidToken, MultiFernet

from ... import clock
from ...database.batches import KEEP_ENDED_SECONDS
from ...errors import ConfigurationError, StoreUnavailable
from ...jose import jose
from ...jose.derived import Secrets
from ..stores.contracts import ServerKeyStore, StoredKey, sum_versions
from .rotation import Schedule, find_announced, find_next_start, find_published, find_signer

log = logging.getLogger("flask_private_key_jwt")

_PURPOSE = "server signing keys"
_TRIES = 5
_RETRY_SECONDS = 5


class UnknownKey(LookupError):
    """The server has no key of this ``kid``."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys as one process read them."""

    signing: jose.PrivateKey
    public: tuple[jose.PublicKey, ...]
    jwks: Mapping[str, Any]
    signer: StoredKey = field(repr=False)
    """The stored key of ``signing``."""
    published: tuple[StoredKey, ...] = field(repr=False)
    """The stored keys of the JWKS."""
    version: int
    """Their version, by :func:`.contracts.sum_versions`."""
    fresh_until: int
    """When to read them again, in seconds since the epoch."""
    read_after: int
    """How many times another version had been seen before they were read."""


class ServerKeys:
    """Gives the key to sign with and the JWKS to publish, and rotates them.

    :param store: Where the keys are kept.
    :param secrets: The key that encrypts them is derived from these.
    :param alg: ``OAUTH2_SIGNING_ALG``.
    :param schedule: How long a key is announced, signs, and stays published.
    :param cache_seconds: How long a process uses its copy if the version does not change.
    """

    def __init__(
        self, store: ServerKeyStore, secrets: Secrets, *, alg: str, schedule: Schedule, cache_seconds: int
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._alg = alg
        self._schedule = schedule
        self._cache_seconds = cache_seconds
        self._lock = threading.Lock()
        self._ring: KeyRing | None = None
        self._sightings = 0

    def note_version(self, version: int) -> None:
        """Note the version of the keys in the database; :meth:`current` then returns no older ones.

        :param version: See :func:`.contracts.sum_versions`.
        """
        ring = self._ring
        if ring is None or ring.version != version:
            # A count, not a flag: a read that is running now may have begun before the change.
            self._sightings += 1

    def look(self) -> KeyRing:
        """:meth:`current`, if this request has not asked the database for their version yet. One SELECT.

        :raises StoreUnavailable: The store is away and there is no copy.
        """
        if self._ring is not None:
            try:
                self.note_version(self._store.find_version())
            except StoreUnavailable as problem:
                log.warning("whether the signing keys have changed is not known: %s", problem.reason)
        return self.current()

    def newest(self) -> KeyRing:
        """:meth:`current`, for a key that the process's copy has not. One SELECT.

        :raises StoreUnavailable: The store is away.
        """
        self.note_version(self._store.find_version())
        return self.current()

    def current(self) -> KeyRing:
        """The keys; they are read again if the process's copy is old or the version has changed.

        :raises StoreUnavailable: The store is away, and there is no copy or the copy is out of date.
        :raises ConfigurationError: A stored key cannot be decrypted with the application's secrets.
        """
        ring = self._ring
        if ring is not None and ring.read_after == self._sightings and clock.now() < ring.fresh_until:
            return ring
        with self._lock:  # one thread reads; those that waited find a fresh copy
            if self._ring is None or self._ring is ring or self._ring.read_after != self._sightings:
                self._ring = self._read(self._ring)
            return self._ring

    def peek(self) -> tuple[jose.PublicKey, ...]:
        """The public keys of the JWKS, as they are stored: none is made, and none is decrypted.

        :raises StoreUnavailable: The store did not answer.
        """
        published = find_published(self.all(), self._schedule, now=clock.now())
        return tuple(jose.import_public_jwk(json.loads(key.public_jwk)) for key in published)

    def signing_algs(self) -> tuple[str, ...]:
        """The algorithms of the key that signs and of the one that will sign next, each once.

        :raises StoreUnavailable: The store is away and there is no copy.
        """
        ring = self.current()
        coming = find_announced(ring.published, now=clock.now())
        return tuple(dict.fromkeys(key.alg for key in (ring.signer, coming) if key is not None))

    # --- for the operator ---------------------------------------------------------------------------------
    def all(self) -> tuple[StoredKey, ...]:
        """Every stored key, by slot.

        :raises StoreUnavailable: The store did not answer.
        """
        return tuple(self._store.load())

    def rotate(self, *, at_once: bool, dry_run: bool = False) -> StoredKey:
        """Bring the next key forward: announce it now, or let it sign at once.

        :param at_once: Sign now. An API that caches the JWKS does not know the new key and has to fetch again.
        :param dry_run: Change nothing; return the key that would sign next.
        :return: The key that signs next.
        :raises StoreUnavailable: The store did not answer, or other processes keep making keys.
        """
        self.current()  # the very first key, if there is none yet
        for _ in range(_TRIES):
            now, stored = clock.now(), self.all()
            coming = find_announced(stored, now=now)
            if coming is None:
                coming = self._make(stored, now=now, signs_from=now if at_once else now + self._schedule.announce)
                if dry_run or self._store.add(coming):
                    return self._changed(coming)
                continue
            if at_once:
                coming = replace(coming, signs_from=max(now, coming.created_at))
                if not dry_run:
                    self._store.change(coming, "brought_forward")
            return self._changed(coming)
        raise StoreUnavailable("other processes keep making signing keys", cause="signing_keys_contended")

    def retire(self, kid: str) -> StoredKey:
        """Take a key out of use and out of the JWKS at once, as after a leak; a successor signs from now on.

        :raises UnknownKey: There is no such key in use.
        :raises StoreUnavailable: The store did not answer.
        """
        key = next((key for key in self.all() if key.kid == kid and key.retired_at is None), None)
        if key is None:
            raise UnknownKey(f"No key {kid!r} is in use.")
        signer = find_signer(self.all(), now=clock.now())
        if signer is not None and signer.slot == key.slot:
            self.rotate(at_once=True)
        retired = replace(key, retired_at=clock.now())
        self._store.change(retired, "retired")
        return self._changed(retired)

    def reencrypt(self) -> int:
        """Encrypt every key with the newest secret, so the operator can drop an older one; return how many keys.

        :raises ConfigurationError: A key cannot be decrypted with the application's secrets.
        :raises StoreUnavailable: The store did not answer.
        """
        stored = self.all()
        for key in stored:
            text = self._decrypt(key)
            encrypted = self._cipher().encrypt(text).decode()
            self._store.change(replace(key, encrypted_private_jwk=encrypted), "reencrypted")
        return len(stored)

    def purge(self) -> int:
        """Delete the keys whose publication ended some time ago, except the newest one; return how many.

        :raises StoreUnavailable: The store did not answer.
        """
        stored = self.all()
        kept = {key.slot for key in find_published(stored, self._schedule, now=clock.now() - KEEP_ENDED_SECONDS)}
        newest = max((key.slot for key in stored), default=0)
        gone = [key for key in stored if key.slot not in kept and key.slot != newest]
        for key in gone:
            self._store.remove(key)
        return len(gone)

    # --- inside -------------------------------------------------------------------------------------------
    def _read(self, old: KeyRing | None) -> KeyRing:
        """Read the keys, and make the next one if it is due."""
        sightings = self._sightings
        try:
            for _ in range(_TRIES):
                now, stored = clock.now(), self.all()
                start = find_next_start(stored, self._schedule, alg=self._alg, now=now)
                if start is None:
                    return self._open(stored, old, now=now, read_after=sightings)
                # Several processes may do this at once. The slot is unique: one wins, the others read its key.
                if self._store.add(made := self._make(stored, now=now, signs_from=start)):
                    log.info("signing key %s is made; it signs from %s", made.kid, start)
        except StoreUnavailable:
            if old is None or old.read_after != sightings:  # the copy may hold a key that was retired
                raise
            log.warning("the signing keys cannot be read again; the copy in memory goes on serving")
            return replace(old, fresh_until=clock.now() + _RETRY_SECONDS)
        raise StoreUnavailable("a signing key was added but cannot be read back", cause="signing_key_unreadable")

    def _make(self, stored: tuple[StoredKey, ...], *, now: int, signs_from: int) -> StoredKey:
        key = jose.generate_private_key(self._alg)
        return StoredKey(
            slot=max((other.slot for other in stored), default=0) + 1,
            kid=key.public.thumbprint,
            alg=self._alg,
            public_jwk=json.dumps(key.public_jwk()),
            encrypted_private_jwk=self._cipher().encrypt(json.dumps(key.as_jwk()).encode()).decode(),
            created_at=now,
            signs_from=signs_from,
        )

    def _open(self, stored: tuple[StoredKey, ...], old: KeyRing | None, *, now: int, read_after: int) -> KeyRing:
        """Turn stored keys into a ring; parsed keys of *old* are used again if nothing has changed."""
        signer = find_signer(stored, now=now)
        assert signer is not None  # a key is due otherwise
        published = find_published(stored, self._schedule, now=now)
        coming = find_announced(stored, now=now)
        version = sum_versions(stored)
        fresh_until = min(now + self._cache_seconds, coming.signs_from if coming else now + self._cache_seconds)
        if old is not None and (old.signer, old.published) == (signer, published):
            # Not parsed again, because an RSA key takes 30 ms.
            return replace(old, version=version, fresh_until=fresh_until, read_after=read_after)
        jwks = [json.loads(key.public_jwk) for key in published]
        return KeyRing(
            signing=jose.import_private_key(self._decrypt(signer)),
            public=tuple(jose.import_public_jwk(jwk) for jwk in jwks),
            jwks={"keys": jwks},
            signer=signer,
            published=published,
            version=version,
            fresh_until=fresh_until,
            read_after=read_after,
        )

    def _changed(self, key: StoredKey) -> StoredKey:
        self._ring = None  # other processes notice the new version
        return key

    def _decrypt(self, key: StoredKey) -> bytes:
        try:
            return self._cipher().decrypt(key.encrypted_private_jwk.encode())
        except InvalidToken:
            # Never make a new key instead: that would hide a wrong secret and break every token in use.
            raise ConfigurationError(
                f"Signing key {key.kid} cannot be decrypted with this SECRET_KEY. Put the secret it was made with into "
                "SECRET_KEY_FALLBACKS (or OAUTH2_SECRETS)."
            ) from None

    def _cipher(self) -> MultiFernet:
        return self._secrets.cipher(_PURPOSE)
