"""Changing a client's keys: its ``jwks`` with keys added, or with one key removed (RFC 7517 §5).

Old and new keys always overlap: adding keeps the old keys, and the last usable key cannot be removed.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...errors import InvalidClientMetadata
from ...jose.jose import JoseProblem
from ..registered_client import RegisteredClient
from .client_keys import ClientKey, read_jwks


def with_keys(client: RegisteredClient, added: Mapping[str, Any], *, algs: Collection[str], now: int) -> dict[str, Any]:
    """The client's ``jwks`` with the keys of another JWK Set added.

    :param added: The other set. Every key in it must be usable, though its certificate may become valid later.
    :param algs: The algorithms that the client may sign with.
    :param now: Seconds since the epoch.
    :raises InvalidClientMetadata: A key is unusable, or registered already; or the keys are at a ``jwks_uri``.
    """
    jwks = _own_jwks(client)
    known = [key for key in map(_read, jwks["keys"]) if key is not None]
    try:
        keys, unusable = read_jwks(added)
    except JoseProblem as problem:
        raise InvalidClientMetadata(f"nothing to add: {problem}", cause=f"jwks_{problem.cause}") from None
    if unusable or not keys:
        raise InvalidClientMetadata(
            f"nothing to add: {unusable[0] if unusable else 'the set is empty'}",
            cause=f"jwks_{unusable[0].cause}" if unusable else "jwks_empty",
        )
    for key in keys:
        _check_new(key, known, algs=algs, now=now)
        known.append(key)
    return {**jwks, "keys": [*jwks["keys"], *added["keys"]]}


def without_key(client: RegisteredClient, name: str, *, algs: Collection[str], now: int) -> dict[str, Any]:
    """The client's ``jwks`` without one key.

    :param name: The key's ``kid``, its RFC 7638 thumbprint, or a thumbprint of its certificate.
    :param algs: The algorithms that the client may sign with.
    :param now: Seconds since the epoch.
    :raises InvalidClientMetadata: No key or several keys have that name; it is the last one the client can sign with;
        or the keys are at a ``jwks_uri``.
    """
    jwks = _own_jwks(client)
    number = _find(jwks["keys"], name)
    rest = [entry for other, entry in enumerate(jwks["keys"]) if other != number]
    if _is_usable(jwks["keys"][number], algs, now) and not any(_is_usable(entry, algs, now) for entry in rest):
        raise InvalidClientMetadata(
            f"key {name[:100]!r} is the last one that client {client.client_id!r} can sign with; "
            "add the next one first",
            cause="key_is_last",
        )
    return {**jwks, "keys": rest}


def _own_jwks(client: RegisteredClient) -> Mapping[str, Any]:
    if client.jwks is None and client.jwks_uri is None and not client.is_public:
        return {"keys": []}  # it has only secrets
    if client.jwks is None:
        raise InvalidClientMetadata(
            f"client {client.client_id!r} publishes its keys at {client.jwks_uri!r}, and adds and retires them there",
            cause="keys_at_jwks_uri",
        )
    if not isinstance(client.jwks.get("keys"), list):
        raise InvalidClientMetadata(
            f"the jwks of client {client.client_id!r} is no JWK Set; register it anew", cause="jwks_not_a_set"
        )
    return client.jwks


def _check_new(key: ClientKey, known: Sequence[ClientKey], *, algs: Collection[str], now: int) -> None:
    name = (key.public.kid or key.public.thumbprint)[:100]
    if not key.public.algs & set(algs):
        raise InvalidClientMetadata(f"key {name!r} cannot be used with {' or '.join(sorted(algs))}", cause="key_alg")
    if key.certificate is not None and key.certificate.not_after < now:
        raise InvalidClientMetadata(f"the certificate of key {name!r} is expired", cause="key_certificate_expired")
    for other in known:
        if _identity(other) == _identity(key):
            raise InvalidClientMetadata(f"key {name!r} is registered already", cause="key_taken")
        # Both would be tried, but a log could not say which of them signed.
        if key.public.kid is not None and other.public.kid == key.public.kid and not _is_same_key(other, key):
            raise InvalidClientMetadata(f"another key of the client has the kid {name!r}", cause="key_kid_taken")


def _identity(key: ClientKey) -> tuple[str, str | None, str | None]:
    """One key may have two entries: with two names, or with an old certificate and the next one."""
    return key.public.thumbprint, key.public.kid, key.certificate.x5t_s256 if key.certificate else None


def _is_same_key(one: ClientKey, other: ClientKey) -> bool:
    return one.public.thumbprint == other.public.thumbprint


def _find(entries: Sequence[Any], name: str) -> int:
    """The index of the entry that *name* names."""
    by_kid = [number for number, entry in enumerate(entries) if isinstance(entry, dict) and entry.get("kid") == name]
    by_thumbprint = [number for number, entry in enumerate(entries) if _is_named(entry, name)]
    for found in (by_kid, by_thumbprint):
        if len(found) == 1:
            return found[0]
    if by_kid or by_thumbprint:
        raise InvalidClientMetadata(
            f"{name[:100]!r} names several keys; give its thumbprint, or its certificate's", cause="key_name_ambiguous"
        )
    raise InvalidClientMetadata(f"the client has no key {name[:100]!r}", cause="key_unknown")


def _is_named(entry: Any, name: str) -> bool:
    key = _read(entry)
    return key is not None and key.is_named(name)


def _is_usable(entry: Any, algs: Collection[str], now: int) -> bool:
    key = _read(entry)
    return key is not None and bool(key.public.algs & set(algs)) and key.is_current(now=now)


def _read(entry: Any) -> ClientKey | None:
    """The key of one entry, or ``None`` if it cannot be used."""
    try:
        keys, _ = read_jwks({"keys": [entry]})
    except JoseProblem:
        return None
    return keys[0] if keys else None
