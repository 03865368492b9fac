"""A client's public keys: which of them may have signed this JWT (RFC 7517 §4, OpenID Connect Core §10.1.1)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...bounded_cache import BYTES_OF_STRANGERS, BoundedCache, bytes_for_clients
from ...jose import jose
from ...jose.certificates import Certificate, certificate_of_jwk
from ...jose.unset import without_unset
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from .remote_documents import RemoteDocuments

log = logging.getLogger("flask_private_key_jwt")

BYTES_A_KEY = 4096
"""Assumed memory of a parsed key with its certificate."""
MAX_KEYS = 20
"""Most keys of one client: for a JWT without a ``kid``, each of them may have to be tried."""


class WrongCertificate(jose.JoseProblem):
    """A good key has a certificate (``x5c``) of another key, or one that is malformed."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One usable key of a client, with its certificate if it has one."""

    public: jose.PublicKey
    certificate: Certificate | None = None

    def is_named_by(self, jwt: jose.JWT) -> bool:
        """Whether the JWT's header names this key, or names none (RFC 7515 §4.1.4, §4.1.7, §4.1.8).

        A ``kid`` decides alone. ``jwk``, ``jku``, ``x5u`` and ``x5c`` of the header are never read (RFC 8725 §3.10).
        """
        if (kid := jwt.kid) is not None:
            return self.is_named(kid)
        certificate = self.certificate
        if certificate is None:
            return True
        thumbprints = (jwt.header.get(name) for name in ("x5t", "x5t#S256"))
        return all(text is None or certificate.is_named(text) for text in thumbprints)

    def is_named(self, name: str) -> bool:
        """Whether *name* is the key's ``kid``, its RFC 7638 thumbprint, or a thumbprint of its certificate."""
        return name in (self.public.kid, self.public.thumbprint) or (
            self.certificate is not None and self.certificate.is_named(name)
        )

    def is_current(self, *, now: int) -> bool:
        """Whether the key's certificate is valid now; a key without one always is (RFC 5280 §4.1.2.5)."""
        return self.certificate is None or self.certificate.is_current(now)


KeySet = tuple[ClientKey, ...]


class ClientKeys:
    """Finds the parsed keys of clients and keeps them; the operator's clients apart from all others.

    :param settings: The server's settings.
    :param key_sets: The sets that the operator's clients publish at their ``jwks_uri``, made by :func:`read_key_set`.
    :param key_sets_of_others: The sets of all other clients.
    """

    def __init__(
        self, settings: ServerSettings, key_sets: RemoteDocuments[KeySet], key_sets_of_others: RemoteDocuments[KeySet]
    ) -> None:
        self._settings = settings
        self._key_sets = key_sets
        self._key_sets_of_others = key_sets_of_others
        size = settings.CLIENT_CACHE_SIZE
        self._kept: BoundedCache[str, _Kept] = BoundedCache(max_entries=size, max_bytes=bytes_for_clients(size))
        self._kept_of_others: BoundedCache[str, _Kept] = BoundedCache(max_entries=size, max_bytes=BYTES_OF_STRANGERS)

    @property
    def caches(self) -> "tuple[BoundedCache[str, _Kept], ...]":
        """The parsed keys that this process keeps."""
        return self._kept, self._kept_of_others

    def all(self, client: RegisteredClient) -> KeySet:
        """Every usable key of the client, also if its certificate has expired.

        :raises DocumentUnavailable: The client's ``jwks_uri`` cannot be fetched.
        :raises FetchBusy: It cannot be fetched now, because other fetches leave no room.
        :raises StoreUnavailable: The store of fetched sets did not answer.
        """
        if client.jwks_uri is None:
            return self._registered(client)
        return self._sets_for(client).load(client.jwks_uri, not_before=client.jwks_not_before).value

    def candidates(self, client: RegisteredClient, jwt: jose.JWT) -> tuple[KeySet, KeySet]:
        """The client's keys, and those of them that the JWT's header names and that fit its ``alg`` (RFC 7515 §4.1.4).

        Several may share a ``kid``; without a ``kid`` all that fit are candidates. If none fits, the client may have
        changed its keys: its ``jwks_uri`` is fetched again, once (OpenID Connect Core §10.1.1).

        :raises DocumentUnavailable: As :meth:`all`.
        :raises FetchBusy: As :meth:`all`.
        :raises StoreUnavailable: As :meth:`all`.
        """
        if client.jwks_uri is None:
            keys = self._registered(client)
            return keys, _fitting(keys, jwt)
        key_sets, not_before = self._sets_for(client), client.jwks_not_before
        key_set = key_sets.load(client.jwks_uri, not_before=not_before)
        found = _fitting(key_set.value, jwt)
        if not found and (newer := key_sets.newer(key_set, not_before=not_before)) is not None:
            key_set, found = newer, _fitting(newer.value, jwt)
        return key_set.value, found

    def confirm(self, client: RegisteredClient) -> None:
        """Note that *client* has authenticated: from now on its keys are kept, also if it registered itself."""
        if client.jwks_uri is None and not client.is_vouched_for(self._settings):
            kept = self._kept_of_others.get(client.client_id)
            if kept is None or kept.client is not client:
                self._kept_of_others.keep(client.client_id, _Kept(client, load_client_keys(client)))

    def _sets_for(self, client: RegisteredClient) -> RemoteDocuments[KeySet]:
        return self._key_sets if client.is_vouched_for(self._settings) else self._key_sets_of_others

    def _registered(self, client: RegisteredClient) -> KeySet:
        """The parsed keys of a ``jwks``. For clients that registered themselves only :meth:`confirm` keeps them."""
        is_vouched_for = client.is_vouched_for(self._settings)
        kept = (self._kept if is_vouched_for else self._kept_of_others).get(client.client_id)
        if kept is not None and kept.client is client:
            return kept.keys
        keys = load_client_keys(client)
        if is_vouched_for:
            # The store of clients has weighed the client, and the operator's are as large as the operator makes them.
            weight = len(client.client_id) + BYTES_A_KEY * len(keys)
            self._kept.keep(client.client_id, _Kept(client, keys), weight=weight)
        return keys


@dataclass(frozen=True, slots=True)
class _Kept:
    """The parsed keys of one snapshot of a client."""

    client: RegisteredClient
    keys: KeySet


def _fitting(keys: KeySet, jwt: jose.JWT) -> KeySet:
    """The keys that may have signed *jwt*, by its header."""
    return tuple(key for key in keys if key.public.fits(jwt.alg) and key.is_named_by(jwt))


def read_key_set(url: str, members: Mapping[str, Any]) -> tuple[ClientKey, ...]:
    """The keys of a set that a client publishes. If it holds private keys, none of them is used, nor any older set.

    :raises JoseProblem: Not a JWK Set (RFC 7517 §5).
    """
    if not isinstance(members.get("keys"), list):
        raise jose.JoseProblem("not a JWK Set: no list of keys", cause="not_a_set")
    try:
        return parse_jwks(members)
    except jose.JoseProblem as problem:
        log.error("the keys at %r are refused: %s", url[:200], problem)
        return ()


def load_client_keys(client: RegisteredClient) -> tuple[ClientKey, ...]:
    """Parse a client's ``jwks``. Unusable entries are ignored; with private keys in it the whole set is refused."""
    if client.jwks is None:
        return ()
    try:
        return parse_jwks(client.jwks)
    except jose.JoseProblem as problem:
        log.error("the keys of client %r are refused: %s", client.client_id, problem)
        return ()


def parse_jwks(jwks: Mapping[str, Any]) -> tuple[ClientKey, ...]:
    """The usable signature keys of a JWK Set (RFC 7517 §5).

    :raises JoseProblem: As :func:`read_jwks`.
    """
    keys, passed_over = read_jwks(jwks)
    for problem in passed_over:
        log.info("a key of a client's set is passed over: %s", problem)
    return keys


def read_jwks(jwks: Mapping[str, Any]) -> tuple[tuple[ClientKey, ...], tuple[jose.JoseProblem, ...]]:
    """The usable signature keys of a JWK Set, and why the other entries are ignored (RFC 7517 §5).

    :raises JoseProblem: It is not a JWK Set, is too large, or holds private or symmetric keys.
    """
    entries = jwks.get("keys")
    if not isinstance(entries, list):
        raise jose.JoseProblem("not a JWK Set: no list of keys", cause="not_a_set")
    if len(entries) > MAX_KEYS:
        raise jose.JoseProblem(f"more than {MAX_KEYS} keys", cause="too_many_keys")
    entries = [without_unset(entry) if isinstance(entry, Mapping) else entry for entry in entries]
    if any(isinstance(entry, Mapping) and jose.PRIVATE_MEMBERS & entry.keys() for entry in entries):
        raise jose.JoseProblem("the set holds private or symmetric key material", cause="private")
    keys, passed_over = [], []
    for entry in entries:
        try:
            keys.append(_read_key(entry))
        except jose.JoseProblem as problem:
            passed_over.append(problem)
    return tuple(keys), tuple(passed_over)


def _read_key(entry: Any) -> ClientKey:
    key = jose.import_public_jwk(entry)
    try:
        return ClientKey(key, certificate_of_jwk(entry))
    except jose.JoseProblem as problem:
        raise WrongCertificate(str(problem), cause=problem.cause) from None
