"""HTTP only: read a form, call the steps, send an answer. The table says what is served where."""

from ..settings import ServerSettings
from .authorization import authorization
from .client_configuration import client_configuration
from .http import Endpoint, MachineEndpoints
from .introspection import introspection
from .jwks import jwks
from .logout import can_sign_out, logout
from .metadata import METADATA_PATH, OPENID_METADATA_PATH, metadata
from .pushed_authorization import pushed_authorization
from .registration import registration
from .revocation import revocation
from .token import token
from .userinfo import PATH as USERINFO_PATH
from .userinfo import userinfo

CONFIGURATION_PATH = "/register/client"


def _has_registration(settings: ServerSettings) -> bool:
    return settings.REGISTRATION != "closed"


MACHINE_ENDPOINTS = (
    Endpoint("token", "/token", ("POST",), token, metadata_member="token_endpoint"),
    Endpoint(
        "authorization",
        "/authorize",
        ("GET", "POST"),
        authorization,
        metadata_member="authorization_endpoint",
        for_people=True,
        in_browser=True,
    ),
    Endpoint(
        "logout",
        "/logout",
        ("GET", "POST"),
        logout,
        metadata_member="end_session_endpoint",
        for_openid=True,
        in_browser=True,
        needs=can_sign_out,
    ),
    Endpoint(
        "pushed_authorization",
        "/par",
        ("POST",),
        pushed_authorization,
        metadata_member="pushed_authorization_request_endpoint",
        for_people=True,
    ),
    Endpoint(
        "userinfo", USERINFO_PATH, ("GET", "POST"), userinfo, metadata_member="userinfo_endpoint", for_openid=True
    ),
    Endpoint("introspection", "/introspect", ("POST",), introspection, metadata_member="introspection_endpoint"),
    Endpoint("revocation", "/revoke", ("POST",), revocation, metadata_member="revocation_endpoint"),
    Endpoint("jwks", "/jwks", ("GET", "HEAD"), jwks, metadata_member="jwks_uri"),
    Endpoint(
        "registration",
        "/register",
        ("POST",),
        registration,
        metadata_member="registration_endpoint",
        is_served=_has_registration,
    ),
    # A path of its own rather than /register?client_id=…: each of the two has its own methods, and Allow says so.
    Endpoint(
        "client_configuration",
        CONFIGURATION_PATH,
        ("GET", "HEAD", "PUT", "PATCH", "DELETE"),
        client_configuration,
        is_served=_has_registration,
    ),
)
"""The endpoints below ``OAUTH2_URL_PREFIX``, in the order of the metadata document."""

WELL_KNOWN = (
    Endpoint("metadata", METADATA_PATH, ("GET", "HEAD"), metadata),
    Endpoint("openid_metadata", OPENID_METADATA_PATH, ("GET", "HEAD"), metadata, for_openid=True),
)
"""The two places of the metadata document."""

__all__ = ["CONFIGURATION_PATH", "MACHINE_ENDPOINTS", "WELL_KNOWN", "Endpoint", "MachineEndpoints"]
