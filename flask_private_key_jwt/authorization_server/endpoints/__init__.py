"""HTTP only: read a form, call the steps, send an answer. The table says which endpoint is at which path."""

from ...resource_server.smart_configuration import PATH as SMART_PATH
from ..endpoint import ServerEndpoint
from .authorization import authorization
from .client_configuration import client_configuration
from .http import MachineEndpoints
from .introspection import introspection
from .jwks import jwks
from .logout import logout
from .metadata import METADATA_PATH, OPENID_METADATA_PATH, metadata
from .pushed_authorization import pushed_authorization
from .registration import registration
from .revocation import revocation
from .smart_configuration import smart_configuration
from .stylesheet import PATH as STYLESHEET_PATH
from .stylesheet import stylesheet
from .token import token
from .userinfo import PATH as USERINFO_PATH
from .userinfo import userinfo

CONFIGURATION_PATH = "/register/client"


MACHINE_ENDPOINTS = (
    ServerEndpoint("token", "/token", ("POST",), token, metadata_member="token_endpoint", cross_origin="setting"),
    ServerEndpoint(
        "authorization",
        "/authorize",
        ("GET", "POST"),
        authorization,
        metadata_member="authorization_endpoint",
        needs=frozenset({"people"}),
        in_browser=True,
    ),
    ServerEndpoint(
        "logout",
        "/logout",
        ("GET", "POST"),
        logout,
        metadata_member="end_session_endpoint",
        needs=frozenset({"openid", "sign_out"}),
        in_browser=True,
    ),
    ServerEndpoint(
        "pushed_authorization",
        "/par",
        ("POST",),
        pushed_authorization,
        metadata_member="pushed_authorization_request_endpoint",
        needs=frozenset({"people"}),
        cross_origin="setting",
    ),
    ServerEndpoint(
        "userinfo",
        USERINFO_PATH,
        ("GET", "POST"),
        userinfo,
        metadata_member="userinfo_endpoint",
        needs=frozenset({"openid"}),
        cross_origin="setting",
    ),
    ServerEndpoint("introspection", "/introspect", ("POST",), introspection, metadata_member="introspection_endpoint"),
    ServerEndpoint(
        "revocation",
        "/revoke",
        ("POST",),
        revocation,
        metadata_member="revocation_endpoint",
        cross_origin="setting",
    ),
    ServerEndpoint("jwks", "/jwks", ("GET", "HEAD"), jwks, metadata_member="jwks_uri", cross_origin="everybody"),
    ServerEndpoint("stylesheet", STYLESHEET_PATH, ("GET", "HEAD"), stylesheet),
    ServerEndpoint(
        "registration",
        "/register",
        ("POST",),
        registration,
        metadata_member="registration_endpoint",
        needs=frozenset({"registration"}),
        cross_origin="setting",
    ),
    # Not /register?client_id=…: the two endpoints have different methods, and an Allow header names those of a path.
    ServerEndpoint(
        "client_configuration",
        CONFIGURATION_PATH,
        ("GET", "HEAD", "PUT", "PATCH", "DELETE"),
        client_configuration,
        needs=frozenset({"registration"}),
    ),
)
"""The endpoints below ``OAUTH2_URL_PREFIX``, in the order of the metadata document."""

WELL_KNOWN = (
    ServerEndpoint("metadata", METADATA_PATH, ("GET", "HEAD"), metadata, cross_origin="everybody"),
    ServerEndpoint(
        "openid_metadata",
        OPENID_METADATA_PATH,
        ("GET", "HEAD"),
        metadata,
        needs=frozenset({"openid"}),
        cross_origin="everybody",
    ),
)
"""The two places of the metadata document."""

BELOW_ISSUER = (
    ServerEndpoint(
        "smart_configuration",
        SMART_PATH,
        ("GET", "HEAD"),
        smart_configuration,
        needs=frozenset({"smart"}),
        cross_origin="everybody",
    ),
)
"""Documents that are only ever found after the issuer's path, never before it."""

__all__ = ["BELOW_ISSUER", "CONFIGURATION_PATH", "MACHINE_ENDPOINTS", "WELL_KNOWN", "MachineEndpoints"]
