"""The API's description of itself: protected resource metadata (RFC 9728)."""

from collections.abc import Iterable
from typing import Any

from ..settings.resource import ResourceSettings
from ..web.url import find_web_url
from .requirement import Requirement

WELL_KNOWN = "/.well-known/oauth-protected-resource"
CACHE_SECONDS = 300
"""How long the document may be cached."""
ALLOW = ("GET", "HEAD", "OPTIONS")
HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", f"public, max-age={CACHE_SECONDS}"),
    ("Access-Control-Allow-Origin", "*"),
)


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
