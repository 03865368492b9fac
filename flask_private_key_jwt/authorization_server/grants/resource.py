"""Which resource servers a token is for (RFC 8707 §2)."""

from collections.abc import Sequence
from dataclasses import replace

from ...errors import InvalidTarget
from ...settings.server import ServerSettings
from ...web.url import find_web_url
from ..stores.granted import Granted


def resolve_audience(allowed: Sequence[str], requested: Sequence[str]) -> tuple[str, ...]:
    """The ``aud`` of a token: what ``resource`` names, or the first of *allowed*.

    :param allowed: ``OAUTH2_RESOURCES``, compared exactly.
    :param requested: The values of ``resource``.
    :raises InvalidTarget: A value is not one of *allowed*.
    """
    for resource in requested:
        if resource not in allowed:
            raise InvalidTarget(f"resource {resource[:200]!r} is not in OAUTH2_RESOURCES", cause="resource_unknown")
    return tuple(dict.fromkeys(requested)) or (allowed[0],)


def resolve_granted_audience(
    granted: Sequence[str], allowed: Sequence[str], requested: Sequence[str]
) -> tuple[str, ...]:
    """The ``aud`` of a token that a person allowed: all they allowed, or what ``resource`` names (RFC 8707 §2.2).

    :param granted: The resources that the person allowed.
    :param allowed: ``OAUTH2_RESOURCES`` as it is now.
    :raises InvalidTarget: A value is not one of *granted*, or no longer one of *allowed*.
    """
    if more := [resource for resource in requested if resource not in granted]:
        raise InvalidTarget(f"resource {more[0][:200]!r} was not granted", cause="resource_not_granted")
    return resolve_audience(allowed, requested or granted)


def find_named(requested: Sequence[str], settings: ServerSettings) -> tuple[str, ...]:
    """The resources that ``resource`` names, each once, as ``OAUTH2_RESOURCES`` has them; others stay as they are.

    They are compared exactly. Only under the profile ``mcp`` the case of scheme and host, the default port and the
    slash of an empty path make no difference, because clients write the URL of their server as they were given it
    (Canonical Server URI).
    """
    if settings.PROFILE != "mcp":
        return tuple(dict.fromkeys(requested))
    own = {_normalize(resource): resource for resource in reversed(settings.resources)}
    known = frozenset(settings.resources)
    return tuple(dict.fromkeys(item if item in known else own.get(_normalize(item), item) for item in requested))


def _normalize(resource: str) -> str:
    url = find_web_url(resource)
    if url is None or url.fragment is not None:
        return resource
    return url.origin + (url.path or "/") + ("" if url.query is None else f"?{url.query}")


def check_named(requested: Sequence[str], settings: ServerSettings) -> None:
    """Refuse a request without ``resource`` where each has to name its own (``OAUTH2_REQUIRE_RESOURCE``).

    :raises InvalidTarget: It has none.
    """
    if settings.REQUIRE_RESOURCE and not requested:
        raise InvalidTarget("no resource, and OAUTH2_REQUIRE_RESOURCE is on", cause="resource_missing")


def narrow_resources(granted: Granted, requested: Sequence[str]) -> Granted:
    """What a person allowed, for the resources that ``resource`` names only; without ``resource``, for all of them."""
    return replace(granted, resources=tuple(requested) or granted.resources)


def check_single(audience: tuple[str, ...]) -> tuple[str, ...]:
    """The ``aud`` of a token that is bound to nothing: one resource server, which cannot use it at another.

    :raises InvalidTarget: There are several.
    """
    if len(audience) > 1:
        raise InvalidTarget(
            "a Bearer token of a public client is for one resource, and several are asked for",
            cause="resource_not_single",
        )
    return audience
