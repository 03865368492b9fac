"""The authorization server's metadata (RFC 8414), built from what is registered: advertised means accepted."""

from typing import Any
from urllib.parse import urlsplit

import flask

from ..client_auth import CLIENT_AUTH_METHODS
from ..state import State, current_state
from .http import public_json

METADATA_PATH = "/.well-known/oauth-authorization-server"


def metadata() -> flask.Response:
    """``GET /.well-known/oauth-authorization-server`` (an issuer's path is inserted after it, RFC 8414 §3.1)."""
    return public_json(build_metadata(current_state()))


def build_metadata(state: State) -> dict[str, Any]:
    """The metadata document (RFC 8414 §2, RFC 9449 §5.1)."""
    settings = state.settings
    base = endpoint_base(settings.ISSUER)
    document: dict[str, Any] = {
        "issuer": settings.ISSUER,
        **{
            endpoint.metadata_member: base + settings.URL_PREFIX + endpoint.path
            for endpoint in state.endpoints.values()
            if endpoint.metadata_member
        },
        # RFC 8414 §2 requires the member; without an authorization endpoint there is no type to list.
        "response_types_supported": [],
        "grant_types_supported": state.server.grant_types(),
        "token_endpoint_auth_methods_supported": list(CLIENT_AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(settings.ASSERTION_SIGNING_ALGS),
        "dpop_signing_alg_values_supported": list(settings.DPOP_SIGNING_ALGS),
        "client_id_metadata_document_supported": settings.CLIENT_ID_METADATA_DOCUMENTS,
        "scopes_supported": list(settings.SCOPES),
        "protected_resources": list(settings.RESOURCES),
    }
    # RFC 8414 §3.2: members without values are left out, the required one excepted.
    return {name: value for name, value in document.items() if value or name == "response_types_supported"}


def endpoint_base(issuer: str) -> str:
    """What endpoint paths are appended to: the issuer without a slash at its end."""
    return issuer.rstrip("/")


def issuer_path(issuer: str) -> str:
    """The issuer's path, empty for none: where the app is mounted."""
    return urlsplit(issuer).path.rstrip("/")
