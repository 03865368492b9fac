"""The API's description of itself: protected resource metadata (RFC 9728)."""

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask

from ..settings.resource import ResourceSettings
from ..url import find_web_url
from .requirement import Requirement

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MARK = "oauth_requirement"
"""The attribute of a protected view, or of a blueprint's ``before_request`` function, with its :class:`Requirement`."""


def metadata_path(resource: str) -> str | None:
    """The path of the metadata of *resource*; ``None`` if *resource* is not an http(s) URL (RFC 9728 §3.1)."""
    url = find_web_url(resource)
    return None if url is None else WELL_KNOWN + ("" if url.path == "/" else url.path)


def metadata_url(resource: str) -> str | None:
    """The URL of the metadata of *resource*; ``None`` if *resource* is not an http(s) URL."""
    url = find_web_url(resource)
    if url is None:
        return None
    return f"{url.scheme}://{url.authority}{metadata_path(resource)}{'?' if url.query else ''}{url.query or ''}"


def build_metadata(
    settings: ResourceSettings, requirements: Iterable[Requirement], *, with_dpop: bool
) -> dict[str, Any]:
    """The metadata document (RFC 9728 §2), built from what the views require.

    :param requirements: The requirements of the application's views.
    :param with_dpop: Whether the API accepts DPoP-bound tokens.
    """
    requirements = list(requirements)
    document: dict[str, Any] = {
        "resource": settings.RESOURCE,
        "authorization_servers": [settings.ISSUER],
        "bearer_methods_supported": ["header"],
    }
    scopes = {scope for requirement in requirements for scopes in requirement.alternatives for scope in scopes}
    if scopes:
        document["scopes_supported"] = sorted(scopes)
    if with_dpop:
        document["dpop_signing_alg_values_supported"] = list(settings.DPOP_SIGNING_ALGS)
        document["dpop_bound_access_tokens_required"] = bool(requirements) and all(
            requirement.dpop == "required" for requirement in requirements
        )
    return document


def find_requirements(app: Flask) -> Iterator[Requirement]:
    """The requirements of all views and blueprints that are registered on *app* so far."""
    for view in app.view_functions.values():
        yield from find_marks(view)
    for blueprint, functions in app.before_request_funcs.items():
        if blueprint is not None:
            for function in functions:
                yield from find_marks(function)


def find_marks(view: object) -> Iterator[Requirement]:
    """The requirements of one view, or of one ``before_request`` function of a blueprint."""
    view_class = getattr(view, "view_class", None)
    methods = [getattr(view_class, method.lower(), None) for method in getattr(view_class, "methods", None) or ()]
    for function in (view, *methods):
        requirement = getattr(function, MARK, None)
        if isinstance(requirement, Requirement):
            yield requirement
