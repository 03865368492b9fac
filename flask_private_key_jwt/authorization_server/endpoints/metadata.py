"""The metadata document (RFC 8414, OpenID Connect Discovery), made from the tables: it names only what is accepted."""

from collections.abc import Set
from typing import Any

import flask

from ...errors import StoreUnavailable
from ...settings.server import ServerSettings
from ...settings.values import OFFLINE_ACCESS
from ...web.url import read_url
from ..authorization.parameters import RESPONSE_TYPE
from ..authorization.response import list_response_modes
from ..client_auth import CLIENT_AUTH_METHODS
from ..grants.pkce import METHODS
from ..needs import Need
from ..registration.unsupported_members import SUBJECT_TYPE
from ..state import State, current_state
from ..tokens.id_token import OPENID
from ..tokens.user_claims import SCOPE_CLAIMS, list_claims
from .app_catalogues import load_catalogues
from .http import public_json

METADATA_PATH = "/.well-known/oauth-authorization-server"
OPENID_METADATA_PATH = "/.well-known/openid-configuration"
KEPT_WHEN_EMPTY = ("response_types_supported", "request_uri_parameter_supported")
"""The first is required (RFC 8414 §2); the absence of the second would mean true (OpenID Connect Discovery §3)."""


def metadata() -> flask.Response:
    """``GET /.well-known/oauth-authorization-server`` (an issuer's path is inserted after it, RFC 8414 §3.1).

    Also ``GET /.well-known/openid-configuration``, which goes after an issuer's path (OpenID Connect Discovery §4).
    """
    return public_json(build_metadata(current_state()))


def build_metadata(state: State) -> dict[str, Any]:
    """The metadata document (RFC 8414 §2, RFC 9449 §5.1)."""
    settings, offered = state.settings, state.offered()
    base, people = endpoint_base(settings.ISSUER), "people" in offered
    document: dict[str, Any] = {
        "issuer": settings.ISSUER,
        **{
            endpoint.metadata_member: base + settings.URL_PREFIX + endpoint.path
            for endpoint in state.endpoints.values()
            if endpoint.metadata_member and endpoint.needs <= offered
        },
        # RFC 8414 §2 requires the member; without an authorization endpoint there is no type to list.
        "response_types_supported": [RESPONSE_TYPE] if people else [],
        **(_describe_authorization(settings) if people else {}),
        **(_describe_openid(state, _list_scopes(settings, offered)) if "openid" in offered else {}),
        "grant_types_supported": state.server.grants.grant_types(),
        **_describe_authentication(state),
        "dpop_signing_alg_values_supported": list(settings.DPOP_SIGNING_ALGS),
        "client_id_metadata_document_supported": settings.CLIENT_ID_METADATA_DOCUMENTS,
        "scopes_supported": _list_scopes(settings, offered),
        "protected_resources": list(settings.RESOURCES),
    }
    # RFC 8414 §3.2: members without values are left out. So are false ones, because absent means false.
    return {name: value for name, value in document.items() if value or name in KEPT_WHEN_EMPTY}


def _describe_authentication(state: State) -> dict[str, Any]:
    """How clients authenticate at each endpoint (RFC 8414 §2); an absent member means ``client_secret_basic``."""
    settings, grant_types = state.settings, state.server.grants.grant_types()
    methods = [method for method in CLIENT_AUTH_METHODS if method.is_open(settings, grant_types)]
    methods.sort(key=lambda method: not method.is_usual)
    confidential = [method for method in methods if method.proves_identity]
    members: dict[str, Any] = {}
    for endpoint, accepted in (("token", methods), ("introspection", confidential), ("revocation", methods)):
        members[f"{endpoint}_endpoint_auth_methods_supported"] = [method.name for method in accepted]
        for method in accepted:
            for name, value in method.describe(settings).items():
                member = f"{endpoint}_endpoint_auth_{name}"
                members[member] = [*members.get(member, ()), *value]
    return members


def _describe_authorization(settings: ServerSettings) -> dict[str, Any]:
    """The members about the authorization endpoint (RFC 8414 §2, RFC 9126 §5, RFC 9207 §3, RFC 9101 §10.5)."""
    return {
        "ui_locales_supported": list(load_catalogues().languages),
        "response_modes_supported": list(list_response_modes(settings)),
        "code_challenge_methods_supported": list(METHODS),
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": settings.REQUIRE_PUSHED_AUTHORIZATION_REQUESTS,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_signed_request_object": settings.REQUIRE_SIGNED_REQUESTS,
        "request_object_signing_alg_values_supported": list(settings.REQUEST_OBJECT_SIGNING_ALGS),
    }


def _describe_openid(state: State, scopes: list[str]) -> dict[str, Any]:
    """The members about ID tokens and UserInfo (OpenID Connect Discovery §3)."""
    return {
        "subject_types_supported": [SUBJECT_TYPE],
        "id_token_signing_alg_values_supported": _list_signing_algs(state),
        "claims_supported": list_claims(state.people.claims, scopes),
    }


def _list_scopes(settings: ServerSettings, offered: Set[Need]) -> list[str]:
    """``OAUTH2_SCOPES``; without the setting, the scopes of OpenID Connect if it is offered.

    ``offline_access`` need not be among the first. It is named if a setting gives it to clients: MCP clients ask for it
    only then, and a client that may have it gets no refresh token unless it asks.
    """
    if not settings.SCOPES and "openid" in offered:
        return [OPENID, *SCOPE_CLAIMS, OFFLINE_ACCESS]
    given = {*settings.CLIENT_ID_SCOPES, *(settings.REGISTRATION_SCOPES or ()), *settings.DEFAULT_SCOPES}
    is_given = "people" in offered and OFFLINE_ACCESS in given.difference(settings.SCOPES)
    return [*settings.SCOPES, *([OFFLINE_ACCESS] if is_given else ())]


def _list_signing_algs(state: State) -> list[str]:
    try:
        return list(state.server_keys.signing_algs())
    except StoreUnavailable:  # the rest of the document is still useful
        return [state.settings.SIGNING_ALG]


def endpoint_base(issuer: str) -> str:
    """The issuer without a slash at its end; endpoint paths are appended to it."""
    return issuer.rstrip("/")


def issuer_path(issuer: str) -> str:
    """The issuer's path, where the app is mounted; empty if it has none."""
    return read_url(issuer).path.rstrip("/")
