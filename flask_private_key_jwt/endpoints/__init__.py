"""HTTP only: read a form, call the steps, send an answer. The table says what is served where."""

from .authorization import authorization
from .http import Endpoint, MachineEndpoints
from .jwks import jwks
from .metadata import METADATA_PATH, metadata
from .pushed_authorization import pushed_authorization
from .token import token

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
        "pushed_authorization",
        "/par",
        ("POST",),
        pushed_authorization,
        metadata_member="pushed_authorization_request_endpoint",
        for_people=True,
    ),
    Endpoint("jwks", "/jwks", ("GET", "HEAD"), jwks, metadata_member="jwks_uri"),
)
"""The endpoints below ``OAUTH2_URL_PREFIX``, in the order of the metadata document."""

WELL_KNOWN = Endpoint("metadata", METADATA_PATH, ("GET", "HEAD"), metadata)

__all__ = ["MACHINE_ENDPOINTS", "WELL_KNOWN", "Endpoint", "MachineEndpoints"]
