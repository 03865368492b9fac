"""How a client authenticates (RFC 7591 §2): its method, its keys, and what a client without keys must not have."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from ...errors import InvalidClientMetadata
from ...fetching.fetch_target import FetchRefused, fetch_policy, read_target
from ...jose.jose import JoseProblem
from ...jose.unset import without_unset
from ...settings.server import ServerSettings
from ..client_auth import CLIENT_AUTH_METHODS
from ..client_auth.base import ClientAuthMethod
from ..grants import GRANTS
from ..keys.client_keys import WrongCertificate, read_jwks
from ..registered_client import PUBLIC, RegisteredClient

LABELS = ("x5t", "x5t#S256")
"""Members of a key that limit nothing: if the value has the wrong type, the member is dropped, not the key."""
TEXTS = ("kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", *LABELS)
LISTS = ("key_ops", "x5c")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def supported_methods(settings: ServerSettings, grant_types: Collection[str]) -> tuple[str, ...]:
    """The authentication methods that the operator may register a client for.

    :param grant_types: What the server's token endpoint answers.
    """
    return tuple(method.name for method in CLIENT_AUTH_METHODS if method.is_open(settings, grant_types))


def find_method_with_keys() -> str:
    """The method of a client that has got its first keys."""
    return next(method.name for method in CLIENT_AUTH_METHODS if method.has_keys)


def is_keyless(client: RegisteredClient) -> bool:
    """Whether the client authenticates, but without keys of its own."""
    keyless = (method.name for method in CLIENT_AUTH_METHODS if not method.has_keys and method.proves_identity)
    return client.token_endpoint_auth_method in keyless


def check_authentication(
    client: RegisteredClient, settings: ServerSettings, grant_types: Collection[str]
) -> Mapping[str, Any] | None:
    """Check how a client authenticates, and return the JWK Set that is stored.

    :param grant_types: What the server's token endpoint answers.
    :raises InvalidClientMetadata: This server does not offer the method, the client has no keys that fit it, or it is a
        public client and asks for something that needs keys.
    """
    method = _find_method(client, settings, grant_types)
    if method.name == PUBLIC:
        _check_public(client, settings)
        return None
    if not method.has_keys:
        _check_keyless(client)
        return None
    return _check_keys(client, settings)


def _find_method(client: RegisteredClient, settings: ServerSettings, grant_types: Collection[str]) -> ClientAuthMethod:
    """The client's method in the table of methods, if a client may be registered for it."""
    name, offered = client.token_endpoint_auth_method, supported_methods(settings, grant_types)
    table = {method.name: method for method in CLIENT_AUTH_METHODS}
    if client.registered_by != "operator":
        if name in offered:
            check_own_choice(client)
        offered = tuple(other for other in offered if not table[other].for_operators_clients)
    if name not in offered:
        raise InvalidClientMetadata(
            f"token_endpoint_auth_method {str(name)[:100]!r} is not supported; it may be {', '.join(offered)}",
            cause="auth_method_not_supported",
        )
    return table[name]


def check_own_choice(client: RegisteredClient) -> None:
    """Refuse a method that a client chooses for itself, if only the operator may choose it.

    :raises InvalidClientMetadata: It is such a method.
    """
    method = client.token_endpoint_auth_method
    if any(method == entry.name and entry.for_operators_clients for entry in CLIENT_AUTH_METHODS):
        raise InvalidClientMetadata(
            f"token_endpoint_auth_method {method!r} is for clients that the operator registers",
            cause="auth_method_operator_only",
        )


def _check_keyless(client: RegisteredClient) -> None:
    """A client that has no keys yet cannot sign either."""
    members = ("jwks", "jwks_uri", "token_endpoint_auth_signing_alg", "request_object_signing_alg")
    present = [name for name in members if getattr(client, name) is not None]
    if client.require_signed_request_object:
        present.append("require_signed_request_object")
    if present:
        raise InvalidClientMetadata(
            f"{present[0]} is there, but token_endpoint_auth_method is {client.token_endpoint_auth_method!r}; a client "
            "that has keys is registered for private_key_jwt, and may have a secret besides",
            cause="keyless_client_member",
        )


def _check_public(client: RegisteredClient, settings: ServerSettings) -> None:
    """RFC 6749 §4.4, RFC 9700 §2.2: no keys, no unbound tokens, no tokens for itself, no signed requests."""
    for name in ("jwks", "jwks_uri", "token_endpoint_auth_signing_alg"):
        if getattr(client, name) is not None:
            raise InvalidClientMetadata(
                f"{name} is there, but token_endpoint_auth_method is 'none'", cause="public_client_member"
            )
    if not (client.dpop_bound_access_tokens or settings.PUBLIC_BEARER_TOKENS):
        raise InvalidClientMetadata(
            "dpop_bound_access_tokens is false, but a public client's tokens are always bound",
            cause="public_client_unbound",
        )
    for grant in GRANTS:
        if not grant.for_public_clients and grant.name in client.grant_types:
            raise InvalidClientMetadata(
                f"grant type {grant.name!r} is not for a public client; name its grant_types",
                cause="public_client_grant_type",
            )
    if client.request_object_signing_alg is not None or client.require_signed_request_object:
        raise InvalidClientMetadata(
            "signed requests are asked for, but token_endpoint_auth_method is 'none'",
            cause="public_client_signed_requests",
        )


def _check_keys(client: RegisteredClient, settings: ServerSettings) -> Mapping[str, Any] | None:
    """Check the keys, which are given by value or at a URL, never both.

    A ``jwks_uri`` is neither resolved nor fetched: the caller must not learn what is there.
    """
    alg, accepted = client.token_endpoint_auth_signing_alg, settings.ASSERTION_SIGNING_ALGS
    if alg is not None and alg not in accepted:
        raise InvalidClientMetadata(
            f"token_endpoint_auth_signing_alg {alg!r} is not accepted here; it may be {', '.join(accepted)}",
            cause="signing_alg_not_accepted",
        )
    if client.jwks is not None and client.jwks_uri is not None:
        raise InvalidClientMetadata(
            "jwks and jwks_uri are both there; a client has its keys in one place", cause="jwks_twice"
        )
    if client.jwks_uri is not None:
        _check_jwks_uri(client.jwks_uri, settings)
        return None
    return _check_jwks(client.jwks, {alg} if alg else set(accepted))


def _check_jwks_uri(url: str, settings: ServerSettings) -> None:
    try:
        read_target(url, fetch_policy(settings, hosts=settings.JWKS_HOSTS))
    except FetchRefused as refusal:
        raise InvalidClientMetadata(f"jwks_uri: {refusal.reason}", cause=f"jwks_uri_{refusal.cause}") from None


def _check_jwks(jwks: Mapping[str, Any] | None, wanted: set[str]) -> Mapping[str, Any]:
    if jwks is None:
        raise InvalidClientMetadata(
            "jwks is missing: a private_key_jwt client needs its public keys, as a JWK Set", cause="jwks_missing"
        )
    try:
        keys, passed_over = read_jwks(jwks)
    except JoseProblem as problem:
        raise InvalidClientMetadata(f"jwks: {problem}", cause=f"jwks_{problem.cause}") from None
    if wrong := [problem for problem in passed_over if isinstance(problem, WrongCertificate)]:
        raise InvalidClientMetadata(f"jwks: {wrong[0]}", cause=f"jwks_{wrong[0].cause}")
    kept = keep_known_members(jwks)
    usable, _ = read_jwks(kept)
    if not any(key.public.algs & wanted for key in usable):
        causes = [*map(str, passed_over), *(["a member has the wrong type"] if len(usable) < len(keys) else ())]
        why = f" ({'; '.join(causes)})" if causes else ""
        raise InvalidClientMetadata(
            f"jwks holds no public key that can verify {' or '.join(sorted(wanted))}{why}", cause="jwks_no_usable_key"
        )
    return kept


def keep_known_members(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The set with only those members of its keys that this package knows; others would only take memory.

    Of ``x5c`` only the first certificate is kept, because no other is ever read (RFC 7517 §4.7).
    """
    kept = (_keep(entry) for entry in jwks["keys"])
    return {"keys": [entry for entry in kept if entry is not None]}


def _keep(entry: object) -> dict[str, Any] | None:
    """``None`` if *entry* is not a key, or a member has the wrong type: without it the key could allow more."""
    if not isinstance(entry, Mapping):
        return None
    kept: dict[str, Any] = {}
    given = without_unset(entry)
    for name in (*TEXTS, *LISTS):
        value = given.get(name)
        if value is None:
            continue
        if not (_is_text(value) if name in TEXTS else _is_list_of_texts(value)):
            if name in LABELS:
                continue
            return None
        kept[name] = value[:1] if name == "x5c" else value
    return kept


def _is_text(value: object) -> bool:
    """Whether *value* is a string of Unicode; JSON can contain a lone surrogate, which has no encoding."""
    return isinstance(value, str) and not _LONE_SURROGATE.search(value)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(item) for item in value)
