"""The configuration that the OpenID Foundation's conformance suite needs to test this server, and its two clients.

The suite plays two clients, with private keys of their own. So there are three files: its configuration, which holds
these keys, and the registrations of the clients, which hold the public ones.
"""

import json
from pathlib import Path
from typing import Any

from ...client.keygen import KeyFile
from ...fetching.discovery import metadata_locations
from ...jose import jose
from ...settings.values import OFFLINE_ACCESS
from ..tokens.id_token import OPENID
from .deployment import Deployment

SUITE = "https://www.certification.openid.net"
SECOND_QUERY = "?dummy1=lorem&dummy2=ipsum"
"""The suite's second client has a redirect URI with a query, which has to survive."""
PLAN = (
    "fapi2-security-profile-final-test-plan[client_auth_type=private_key_jwt][sender_constrain=dpop]"
    "[fapi_profile=plain_fapi][openid={}]"
)
_ALGS = ("PS256", "ES256", "EdDSA")
"""What the suite signs with, in the order in which it is used here."""


def build_suite_files(deployment: Deployment, folder: str, *, alias: str, suite: str = SUITE) -> list[KeyFile]:
    """The three files, not written yet.

    :param folder: Where they go.
    :param alias: The alias of the test plan at the suite; it is in the redirect URIs.
    :param suite: The suite's own URL.
    """
    settings, callback = deployment.settings, f"{suite.rstrip('/')}/test/a/{alias}/callback"
    alg = next((alg for alg in _ALGS if alg in settings.ASSERTION_SIGNING_ALGS), settings.ASSERTION_SIGNING_ALGS[0])
    proof_alg = next((alg for alg in _ALGS if alg in settings.DPOP_SIGNING_ALGS), settings.DPOP_SIGNING_ALGS[0])
    scope, (oauth_url, openid_url) = _find_scope(deployment), metadata_locations(settings.ISSUER)
    configuration: dict[str, Any] = {
        "alias": alias,
        "description": f"{settings.ISSUER}, {find_plan(deployment)}",
        "server": {"discoveryUrl": openid_url if "openid" in deployment.state.offered() else oauth_url},
    }
    files = []
    for name, query in (("client", ""), ("client2", SECOND_QUERY)):
        key = jose.generate_private_key(alg)
        configuration[name] = {
            "client_id": f"{alias}-{name}",
            "scope": scope,
            "jwks": {"keys": [{**key.as_jwk(), **key.public_jwk()}]},
            "dpop_signing_alg": proof_alg,
        }
        registration = {
            "client_id": f"{alias}-{name}",
            "client_name": f"Conformance suite, {name}",
            "jwks": {"keys": [key.public_jwk()]},
            "redirect_uris": [callback + query],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": scope,
        }
        files.append(_file(folder, f"{name}.json", registration, f"the registration of {alias}-{name}"))
    configuration["resource"] = {"resourceUrl": _find_api(deployment)}
    meaning = "the suite's configuration, with private keys: keep it secret"
    return [_file(folder, "suite.json", configuration, meaning, mode=0o600), *files]


def find_plan(deployment: Deployment) -> str:
    """The suite's plan for this server, with its variants."""
    return PLAN.format("openid_connect" if "openid" in deployment.state.offered() else "plain_oauth")


def find_obstacles(deployment: Deployment) -> list[str]:
    """What the suite's plan needs and this server does not have, as sentences."""
    offered, settings = deployment.state.offered(), deployment.settings
    found = {
        "The plan needs people: the app has no authorization endpoint.": "people" not in offered,
        "The plan is for OAUTH2_PROFILE = 'fapi2'.": settings.PROFILE != "fapi2",
        "Put the URL of an API of yours into resource.resourceUrl: the suite calls it with its tokens.": (
            "openid" not in offered and not settings.RESOURCES
        ),
        "The suite has to reach the issuer, by https.": not settings.ISSUER.startswith("https:"),
    }
    return [sentence for sentence, is_so in found.items() if is_so]


def _find_scope(deployment: Deployment) -> str:
    settings = deployment.settings
    if "openid" in deployment.state.offered():
        return OPENID
    return next((scope for scope in settings.SCOPES if scope != OFFLINE_ACCESS), "accounts")


def _find_api(deployment: Deployment) -> str:
    """What the suite calls with its tokens: UserInfo, or else the first API."""
    return str(deployment.state.describe().get("userinfo_endpoint") or deployment.settings.resources[0])


def _file(folder: str, name: str, content: dict[str, Any], meaning: str, mode: int = 0o644) -> KeyFile:
    return KeyFile(Path(folder) / name, json.dumps(content, indent=2).encode() + b"\n", meaning, mode)
