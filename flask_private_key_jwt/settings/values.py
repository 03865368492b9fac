"""The values that settings may have: the checks, and the names that several settings share.

An application sets a setting in ``app.config`` as ``OAUTH2_<NAME>``, or in the environment as
``FLASK_OAUTH2_<NAME>`` when it calls ``app.config.from_prefixed_env()``. :func:`.reading.read` checks all of
them once, at ``init_app``, and freezes the result; nothing else reads ``app.config``.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ..web.url import read_proxy_url, read_url

ASYMMETRIC_ALGS = (
    "ES256",
    "ES384",
    "ES512",
    "PS256",
    "PS384",
    "PS512",
    "RS256",
    "RS384",
    "RS512",
    "EdDSA",
    "Ed25519",
)
"""The signature algorithms that this package supports (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2)."""

HMAC_ALGS = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Algorithm for a secret that a client shares with the server -> the fewest octets of the secret (RFC 7518 §3.2)."""

OFFLINE_ACCESS = "offline_access"
"""The scope that asks for a refresh token (OpenID Connect Core §11); it need not be in ``OAUTH2_SCOPES``."""

ANY_HOST = "*"
"""In a list of hosts: any host with a public address."""

_HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_CAPABILITY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_DIGITS = re.compile(r"[0-9]{1,5}")


# --- the checks: each raises ValueError, whose message is the end of a sentence -------------------------
def between(low: int, high: int) -> Callable[[int], None]:
    """A check that a number lies between *low* and *high*, both included."""

    def check(value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"must lie between {low} and {high}")

    return check


def each_of(allowed: tuple[str, ...]) -> Callable[[tuple[str, ...]], None]:
    """A check that a list is not empty and contains only *allowed* values."""

    def check(value: tuple[str, ...]) -> None:
        if unknown := [item for item in value if item not in allowed]:
            raise ValueError(f"does not know {unknown!r}; it knows {', '.join(allowed)}")
        if not value:
            raise ValueError("must name at least one")

    return check


def https_url(value: str) -> None:
    """Accept an absolute https URL without query, fragment or userinfo; http on loopback only (RFC 8414 §2)."""
    url = read_url(value)
    url.check_protected()
    if url.query is not None or url.fragment is not None:
        raise ValueError("must have no query and no fragment")


def resource_uri(value: str) -> None:
    """Accept an absolute URI without a fragment (RFC 8707 §2)."""
    uri = read_url(value)
    if not (uri.host or uri.path) or uri.fragment is not None:
        raise ValueError("must be an absolute URI without a fragment")


def resource_uris(value: tuple[str, ...]) -> None:
    """Accept a list of resource identifiers."""
    for item in value:
        resource_uri(item)


def scope_tokens(value: tuple[str, ...]) -> None:
    """Accept scope tokens (RFC 6749 §3.3)."""
    for item in value:
        if not item or any(not ("!" <= c <= "~") or c in '"\\' for c in item):
            raise ValueError(f"holds {item!r}, which is not a scope token")


def host_names(value: tuple[str, ...]) -> None:
    """Accept a list of lower-case host names, as A-labels (RFC 5890), without port."""
    for item in value:
        if not _HOST_NAME.fullmatch(item):
            raise ValueError(f"holds {item!r}, which is not a lower-case host name")


def read_moment(text: str) -> int:
    """An ISO 8601 date or time in UTC, in seconds since the epoch. A date is the moment at which it begins.

    :raises ValueError: It is not one, or has another offset than UTC's.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be an ISO 8601 date or time in UTC, e.g. 2027-03-31 or 2027-03-31T18:00:00Z") from None
    if found.utcoffset():
        raise ValueError("must be a time in UTC")
    seconds = int(found.replace(tzinfo=UTC).timestamp())
    if seconds < 0:
        raise ValueError("must be a time after 1970")
    return seconds


def moment(value: str) -> None:
    """Accept an ISO 8601 date or time in UTC."""
    read_moment(value)


def host_names_or_any(value: tuple[str, ...]) -> None:
    """Accept what :func:`host_names` accepts, or :data:`ANY_HOST` alone."""
    if ANY_HOST in value and len(value) > 1:
        raise ValueError(f"holds {ANY_HOST!r} and other names: it means every host")
    if value != (ANY_HOST,):
        host_names(value)


def port_numbers(value: tuple[str, ...]) -> None:
    """Accept a list of port numbers, as strings."""
    for item in value:
        if not _DIGITS.fullmatch(item) or not 0 < int(item) < 65536:
            raise ValueError(f"holds {item!r}, which is not a port number")


def web_origins(value: tuple[str, ...]) -> None:
    """Accept a list of exact origins (RFC 6454 §6.2), as browsers write them, or only ``*``.

    Not ``null``, which pages without an origin of their own have in common, and http on loopback only: on the network
    anybody could answer for the page.
    """
    if value == ("*",):
        return
    for item in value:
        try:
            url = read_url(item)
        except ValueError as error:
            raise ValueError(f"holds {item!r}, which {error}") from None
        if not url.host or url.origin != item:
            raise ValueError(f"holds {item!r}, which is not an origin such as https://app.example, nor * alone")
        if url.scheme == "http" and not url.is_loopback:
            raise ValueError(f"holds {item!r}; http is accepted on 127.0.0.1, [::1] and localhost only")


def smart_capabilities(value: tuple[str, ...]) -> None:
    """Accept a list of capabilities of SMART: small letters, digits and hyphens."""
    for item in value:
        if not _CAPABILITY.fullmatch(item):
            raise ValueError(f"holds {item!r}, which is not a capability such as permission-v2")


def url_path(value: str) -> None:
    """Accept a path that starts with a slash and does not end with one."""
    if not value.startswith("/") or value.endswith("/") or any(c <= " " or c > "~" or c in '"\\<>?#%' for c in value):
        raise ValueError("must be a path such as /oauth2, without a slash at its end")


def replay_store(value: object) -> None:
    """Accept a string, or an object that may be a replay store; :mod:`.replay.loading` checks the rest."""
    if not value or isinstance(value, (int, float, bytes, list, tuple, dict, set, frozenset)):
        raise ValueError("must be sql, memory, a URL, an import path such as my_app.stores:make_store, or a store")


def descriptions(value: object) -> None:
    """Accept a mapping of scopes or resource URIs to words, or to words for each of several language tags."""
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping of scopes or resources to words")
    for name, words in value.items():
        if not isinstance(name, str):
            raise ValueError(f"holds {name!r}, which is not a scope token")
        scope_tokens((name,))
        given = [*words.values()] if isinstance(words, Mapping) else [words]
        tags = [*words] if isinstance(words, Mapping) else []
        if not given or not all(isinstance(item, str) and item.strip() for item in given):
            raise ValueError(f"has no words for {name!r}")
        if unknown := [tag for tag in tags if not (isinstance(tag, str) and _LANGUAGE.fullmatch(tag))]:
            raise ValueError(f"has {unknown[0]!r} for {name!r}, which is not a language tag such as de")


def language_tags(value: tuple[str, ...]) -> None:
    """Accept a list of language tags (BCP 47)."""
    for item in value:
        if not _LANGUAGE.fullmatch(item):
            raise ValueError(f"holds {item!r}, which is not a language tag such as de")


def proxy_url(value: str) -> None:
    """Accept the URL of a proxy."""
    read_proxy_url(value)
