"""The authorization server's metadata (RFC 8414), built from what is registered: advertised means accepted."""

from typing import Any
from urllib.parse import urlsplit

import flask

from ..authorization.parameters import RESPONSE_TYPE
from ..authorization.response import RESPONSE_MODES
from ..grants.pkce import METHODS
from ..redirect_registration import supported_methods
from ..settings import ServerSettings
from ..state import State, current_state
from .http import public_json

METADATA_PATH = "/.well-known/oauth-authorization-server"
KEPT_WHEN_EMPTY = ("response_types_supported", "request_uri_parameter_supported")
"""One is required (RFC 8414 §2), the absence of the other would mean true (OpenID Connect Discovery §3)."""


def metadata() -> flask.Response:
    """``GET /.well-known/oauth-authorization-server`` (an issuer's path is inserted after it, RFC 8414 §3.1)."""
    return public_json(build_metadata(current_state()))


def build_metadata(state: State) -> dict[str, Any]:
    """The metadata document (RFC 8414 §2, RFC 9449 §5.1)."""
    settings, people = state.settings, state.server.has_people()
    base = endpoint_base(settings.ISSUER)
    document: dict[str, Any] = {
        "issuer": settings.ISSUER,
        **{
            endpoint.metadata_member: base + settings.URL_PREFIX + endpoint.path
            for endpoint in state.endpoints.values()
            if endpoint.metadata_member and (people or not endpoint.for_people) and endpoint.is_offered(state)
        },
        # RFC 8414 §2 requires the member; without an authorization endpoint there is no type to list.
        "response_types_supported": [RESPONSE_TYPE] if people else [],
        **(_describe_authorization(settings) if people else {}),
        "grant_types_supported": state.server.grant_types(),
        "token_endpoint_auth_methods_supported": supported_methods(settings, state.server.grant_types()),
        "token_endpoint_auth_signing_alg_values_supported": list(settings.ASSERTION_SIGNING_ALGS),
        "dpop_signing_alg_values_supported": list(settings.DPOP_SIGNING_ALGS),
        "client_id_metadata_document_supported": settings.CLIENT_ID_METADATA_DOCUMENTS,
        "scopes_supported": list(settings.SCOPES),
        "protected_resources": list(settings.RESOURCES),
    }
    # RFC 8414 §3.2: members without values are left out, and so are those that say what their absence says.
    return {name: value for name, value in document.items() if value or name in KEPT_WHEN_EMPTY}


def _describe_authorization(settings: ServerSettings) -> dict[str, Any]:
    """What there is to say of the authorization endpoint (RFC 9126 §5, RFC 7636 §6.2, RFC 9207 §3, RFC 9101 §9)."""
    return {
        "response_modes_supported": list(RESPONSE_MODES),
        "code_challenge_methods_supported": list(METHODS),
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": settings.REQUIRE_PUSHED_AUTHORIZATION_REQUESTS,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_signed_request_object": settings.REQUIRE_SIGNED_REQUESTS,
        "request_object_signing_alg_values_supported": list(settings.REQUEST_OBJECT_SIGNING_ALGS),
    }


def endpoint_base(issuer: str) -> str:
    """What endpoint paths are appended to: the issuer without a slash at its end."""
    return issuer.rstrip("/")


def issuer_path(issuer: str) -> str:
    """The issuer's path, empty for none: where the app is mounted."""
    return urlsplit(issuer).path.rstrip("/")
