"""Which scopes a token gets (RFC 6749 §3.3)."""

from collections.abc import Collection, Sequence

from ...errors import InvalidScope
from ...settings.values import OFFLINE_ACCESS
from ...tokens.scope_matching import ScopeMatcher, is_covered
from ..client_members import MAX_SCOPE_CHARACTERS as MAX_SCOPE_CHARACTERS
from ..client_members import split_scope as split_scope
from ..registered_client import RegisteredClient
from ..tokens.id_token import OPENID

_ABOUT_PEOPLE = frozenset({OPENID, OFFLINE_ACCESS})
"""Scopes that mean nothing for a client that acts for itself."""


def drop_offline_access(wanted: tuple[str, ...], allowed: Collection[str]) -> tuple[str, ...]:
    """*wanted* without ``offline_access`` if that is not allowed: it is ignored then (OpenID Connect Core §11)."""
    if OFFLINE_ACCESS not in wanted or OFFLINE_ACCESS in allowed:
        return wanted
    return tuple(token for token in wanted if token != OFFLINE_ACCESS)


def resolve_scope(
    client: RegisteredClient,
    requested: str | None,
    *,
    acts_for_itself: bool = False,
    matchers: Sequence[ScopeMatcher] = (),
) -> tuple[str, ...]:
    """The scopes of a request: all it asks for, each registered for the client, or the client's default.

    Only ``offline_access`` is dropped silently; any other scope that is not registered refuses the request.

    :param requested: The ``scope`` parameter. ``None`` or blank asks for the client's ``default_scope``, or for all its
        scopes if it has no ``default_scope``.
    :param acts_for_itself: The client acts for no person: the default then has no ``openid`` and ``offline_access``.
    :param matchers: The application's: whether a registered scope allows another one that is asked for.
    :raises InvalidScope: A scope is not registered for the client, or none is requested and there is no default.
    :raises ConfigurationError: A matcher failed.
    """
    if requested is not None and len(requested) > MAX_SCOPE_CHARACTERS:
        raise InvalidScope(f"scope is longer than {MAX_SCOPE_CHARACTERS} characters", cause="scope_too_long")
    wanted = drop_offline_access(split_scope(requested or ""), client.scope)
    if not wanted:
        return _load_default(client, acts_for_itself=acts_for_itself)
    _check_registered(wanted, client, matchers)
    return wanted


def narrow_scope(
    client: RegisteredClient, granted: tuple[str, ...], *, matchers: Sequence[ScopeMatcher] = ()
) -> tuple[str, ...]:
    """The scopes of a token for what a person allowed before: never more than that, also if the default has changed.

    :param granted: The scopes that the person allowed, or the requested part of them.
    :raises InvalidScope: A scope is no longer registered for the client, or none is left.
    """
    kept = drop_offline_access(granted, client.scope)
    if not kept:
        raise InvalidScope("nothing is left of what the person allowed", cause="scope_empty")
    _check_registered(kept, client, matchers)
    return kept


def _load_default(client: RegisteredClient, *, acts_for_itself: bool) -> tuple[str, ...]:
    default = client.default_scope or tuple(sorted(client.scope))
    if acts_for_itself:
        default = tuple(token for token in default if token not in _ABOUT_PEOPLE)
    if not default:
        raise InvalidScope("no scope requested, and the client has none by default", cause="scope_missing")
    return default


def _check_registered(wanted: tuple[str, ...], client: RegisteredClient, matchers: Sequence[ScopeMatcher]) -> None:
    if unknown := [token for token in wanted if not is_covered(token, client.scope, matchers)]:
        raise InvalidScope(f"scope {unknown[0][:100]!r} is not registered for the client", cause="scope_not_registered")
