"""What UserInfo says about a person (OpenID Connect Core §5): the application's claims, if the scope allows them.

The application registers one function, or a class that has a method for each scope.
"""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...errors import ConfigurationError
from .access_token import RESERVED_CLAIMS
from .id_token import CLAIMS as ID_TOKEN_CLAIMS

UserClaims = Callable[[str, frozenset[str]], Mapping[str, Any] | None] | type[Any]
"""Subject (a string) and granted scopes -> claims, or ``None`` if the person no longer exists. Or a class: it is called
with the subject, and its public methods have the names of scopes."""

SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""Scope -> the standard claims it asks for (OpenID Connect Core §5.1, §5.4)."""
STANDARD_CLAIMS = {claim: scope for scope, claims in SCOPE_CLAIMS.items() for claim in claims}
"""Standard claim -> the scope that a client needs to read it."""
PROTOCOL_CLAIMS = (
    RESERVED_CLAIMS.union(ID_TOKEN_CLAIMS, ("acr", "amr", "azp", "c_hash", "s_hash", "sid", "events")) - {"sub"}
)  # fmt: skip
"""Claims that say something about a token or a sign-in, not about a person."""
EXISTS = "exists"
"""The attribute of a class that says whether the person exists; without it, the person does."""


def check_user_claims(declared: Any) -> None:
    """Refuse a function or class that could not be called at a request.

    :raises ConfigurationError: It is neither a function nor a class, is async, or takes the wrong arguments, itself or
        one of its methods; the message says what to change.
    """
    if not isinstance(declared, type):
        if not callable(declared) or not _takes(declared, 2):
            raise ConfigurationError(
                "user_claims takes a function (subject, scope) that is not async, or a class made with (subject): "
                f"change {getattr(declared, '__name__', type(declared).__name__)}."
            )
        return
    if not _takes(declared, 1):
        raise ConfigurationError(f"{declared.__name__} is made with the subject: its __init__ takes that and no more.")
    exists = inspect.getattr_static(declared, EXISTS, None)
    # An async function returns a coroutine, which is always true.
    if inspect.isfunction(exists) and not _takes(exists, 1):
        raise ConfigurationError(f"{declared.__name__}.{EXISTS} can be neither async nor need arguments.")
    for name, method in inspect.getmembers(declared, inspect.isfunction):
        if _find_method(declared, name) is not None and not _takes(method, 1):
            raise ConfigurationError(
                f"{declared.__name__}.{name} is public, so it gives the claims of scope {name!r}: it can be neither "
                f"async nor need arguments. Call it _{name} if it is something else."
            )


def build_user_claims(declared: UserClaims | None, subject: str, scope: frozenset[str]) -> dict[str, Any] | None:
    """The claims about *subject* that *scope* allows to be read (OpenID Connect Core §5.3.2, §5.4).

    A standard claim is released only with the scope that asks for it, whatever the application returns. Claims that are
    not standard are released as they are.

    :param declared: What the application registered; ``None``: only ``sub`` is known.
    :return: ``None`` if the person no longer exists.
    :raises ConfigurationError: The application returns a claim that it may not set, or something that is not JSON.
    """
    given = _ask(declared, subject, scope) if declared is not None else {}
    if given is None:
        return None
    if given.get("sub", subject) != subject:
        raise ConfigurationError("user_claims gives another sub than the one it was asked about.")
    if taken := PROTOCOL_CLAIMS & given.keys():
        raise ConfigurationError(f"user_claims may not give {', '.join(sorted(taken))}: the server sets these.")
    released = {name: value for name, value in given.items() if _is_released(name, value, scope)}
    _check_json(released)
    return {"sub": subject, **released}


def list_claims(declared: UserClaims | None, scopes: Iterable[str]) -> list[str]:
    """The claims that a client may read (OpenID Connect Discovery §3): those of an ID token, and the standard ones.

    :param scopes: The scopes of this server.
    """
    claims = list(ID_TOKEN_CLAIMS)
    for scope, names in SCOPE_CLAIMS.items():
        is_known = declared is not None and (not isinstance(declared, type) or _find_method(declared, scope))
        if is_known and scope in scopes:
            claims += names
    return claims


def _ask(declared: UserClaims, subject: str, scope: frozenset[str]) -> Mapping[str, Any] | None:
    """The claims that the application returns, not filtered yet; ``None``: the person no longer exists."""
    if not isinstance(declared, type):
        given = declared(subject, scope)
        return None if given is None else _check_mapping(given, "user_claims")
    person = declared(subject)
    exists = getattr(person, EXISTS, True)
    if not (exists() if callable(exists) else exists):
        return None
    claims: dict[str, Any] = {}
    for name in sorted(scope):
        method = _find_method(declared, name)
        given = method(person) if method else None
        if given is not None:
            claims |= _check_mapping(given, f"{declared.__name__}.{name}")
    return claims


def _find_method(declared: type[Any], scope: str) -> Callable[[Any], Any] | None:
    """The method for a scope. Nothing else of the class can be called, because clients choose the names of scopes."""
    if scope.startswith("_") or scope == EXISTS:
        return None
    member = inspect.getattr_static(declared, scope, None)
    return member if inspect.isfunction(member) else None


def _takes(declared: Callable[..., Any], arguments: int) -> bool:
    """Whether *declared* can be called with so many *arguments*, and is not async."""
    try:
        inspect.signature(declared).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # a function that is not written in Python may have no signature
        pass
    return not inspect.iscoroutinefunction(declared)


def _check_mapping(given: Any, source: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ConfigurationError(f"{source} gives a {type(given).__name__}, not a mapping of claims.")
    return given


def _is_released(name: str, value: Any, scope: frozenset[str]) -> bool:
    needed = STANDARD_CLAIMS.get(name)
    if needed is None:
        return True
    return needed in scope and value not in (None, "")  # unknown values are left out (§5.3.2)


def _check_json(claims: Mapping[str, Any]) -> None:
    for name, value in claims.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ConfigurationError(
                f"user_claims gives {name!r} as {type(value).__name__}, which is no JSON: give a text, a number, a "
                "boolean, a list or a dict."
            ) from None
