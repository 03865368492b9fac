"""``/.well-known/smart-configuration``, which SMART clients read first (SMART App Launch 2.2, Conformance).

It stands below the base URL of a FHIR server, which is an API, and below the issuer. It says what the metadata document
of RFC 8414 says about the authorization server, and which capabilities of SMART there are. No framework is needed here.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ..settings.profiles.smart import OPENID_CAPABILITY
from ..settings.resource import ResourceSettings
from ..web.url import find_web_url

PATH = "/.well-known/smart-configuration"
COPIED = (
    "authorization_endpoint",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "grant_types_supported",
    "registration_endpoint",
    "scopes_supported",
    "response_types_supported",
    "introspection_endpoint",
    "revocation_endpoint",
    "code_challenge_methods_supported",
)
"""Members that mean the same in both documents."""
OF_OPENID = ("issuer", "jwks_uri")
"""Members that stand there only with the capability ``sso-openid-connect``."""


def build_smart_configuration(metadata: Mapping[str, Any], capabilities: Sequence[str]) -> dict[str, Any]:
    """The document, made from the server's metadata.

    :param metadata: The metadata document of the authorization server (RFC 8414 §2).
    :param capabilities: ``OAUTH2_SMART_CAPABILITIES``.
    """
    names = (*OF_OPENID, *COPIED) if OPENID_CAPABILITY in capabilities else COPIED
    return {
        "code_challenge_methods_supported": ["S256"],  # required, also where nobody signs in
        **{name: metadata[name] for name in names if metadata.get(name)},
        "capabilities": list(capabilities),
    }


def find_paths(settings: ResourceSettings) -> list[str]:
    """The paths of an API's document: below its ``OAUTH2_RESOURCE``, as seen from outside and from the app.

    They differ if the app is mounted below a path, which is then the path of ``OAUTH2_EXTERNAL_URL``. Empty if the
    resource is not a URL.
    """
    resource = find_web_url(settings.RESOURCE)
    if resource is None:
        return []
    path = resource.path.rstrip("/")
    outside = find_web_url(settings.EXTERNAL_URL or "")
    mount = outside.path.rstrip("/") if outside else ""
    inside = path.removeprefix(mount) if f"{path}/".startswith(f"{mount}/") else path
    return list(dict.fromkeys(unquote(each + PATH) for each in (path, inside)))
