"""What a client registers besides for signed requests (RFC 9101 §10.5) and OpenID Connect (OpenID Registration §2)."""

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidClientMetadata
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from .redirects import CODE_GRANT, check_uris

SIGNED_ID_TOKENS = "id_token_signed_response_alg"
SUBJECT_TYPE = "public"
"""How people are named to clients: every client reads the same ``sub`` (OpenID Connect Core §8)."""
MAX_AGE_SECONDS = 2**31
OPENID_MEMBERS = (
    "require_signed_request_object",
    "request_object_signing_alg",
    "post_logout_redirect_uris",
    "default_max_age",
    "require_auth_time",
    SIGNED_ID_TOKENS,
    "subject_type",
)


def check_signed_requests(metadata: Mapping[str, Any], settings: ServerSettings, *, public: bool) -> str | None:
    """Check ``request_object_signing_alg`` and whether the client can sign at all, and return the former.

    :param metadata: The registration, without members that are ``None``.
    :param public: Whether the client has no key.
    :raises InvalidClientMetadata: The algorithm is not accepted, or a client without a key is to sign.
    """
    alg = metadata.get("request_object_signing_alg")
    if alg is not None and alg not in settings.REQUEST_OBJECT_SIGNING_ALGS:
        raise InvalidClientMetadata(f"request_object_signing_alg {str(alg)[:40]!r} is not accepted")
    if public and (alg is not None or metadata.get("require_signed_request_object") is True):
        raise InvalidClientMetadata("signed requests are asked for, but token_endpoint_auth_method is 'none'")
    return alg


def check_post_logout(metadata: Mapping[str, Any], *, native: bool) -> tuple[str, ...]:
    """Check ``post_logout_redirect_uris`` by the rules of redirect URIs (OpenID RP-Initiated Logout §3.1).

    :raises InvalidClientMetadata: One is not acceptable.
    """
    name = "post_logout_redirect_uris"
    return check_uris(metadata.get(name, []), name=name, native=native, refusal=InvalidClientMetadata)


def check_max_age(metadata: Mapping[str, Any]) -> int | None:
    """Check ``default_max_age``, in seconds.

    :raises InvalidClientMetadata: It is not a number of seconds.
    """
    value = metadata.get("default_max_age")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_AGE_SECONDS:
        raise InvalidClientMetadata("default_max_age is not a whole number of seconds")
    return value


def check_openid(metadata: Mapping[str, Any], settings: ServerSettings) -> dict[str, Any]:
    """Check what a client asks of its ID tokens, and return what is kept of it (OpenID Registration §2).

    :raises InvalidClientMetadata: It asks for what this server does not do: another algorithm, pairwise subjects.
    """
    alg = metadata.get(SIGNED_ID_TOKENS)
    if alg is not None and alg != settings.SIGNING_ALG:
        raise InvalidClientMetadata(
            f"{SIGNED_ID_TOKENS} {str(alg)[:40]!r} is not {settings.SIGNING_ALG!r}, which every token here is signed "
            "with: leave it out, or change OAUTH2_SIGNING_ALG"
        )
    if metadata.get("subject_type", SUBJECT_TYPE) != SUBJECT_TYPE:
        raise InvalidClientMetadata(f"subject_type {str(metadata['subject_type'])[:40]!r} is not {SUBJECT_TYPE!r}")
    if "sector_identifier_uri" in metadata:
        # Never fetched: it has no use without pairwise subjects.
        raise InvalidClientMetadata("sector_identifier_uri is there, but subject identifiers are public")
    return {} if alg is None else {SIGNED_ID_TOKENS: alg}


def check_introspection_resources(metadata: Mapping[str, Any], settings: ServerSettings) -> tuple[str, ...]:
    """Check which resource servers a client is.

    :raises InvalidClientMetadata: It is not a list of what tokens are issued for.
    """
    given = metadata.get("introspection_resources", [])
    known = (*settings.resources, settings.ISSUER)
    if not isinstance(given, list) or any(item not in known for item in given):
        raise InvalidClientMetadata(
            f"introspection_resources is not a list of what is in OAUTH2_RESOURCES: {known!r}; add the API "
            "there first, by the name that is its OAUTH2_RESOURCE"
        )
    return tuple(dict.fromkeys(given))


def describe_openid(client: RegisteredClient) -> dict[str, Any]:
    """The members of these checks, as far as the client has them."""
    members: dict[str, Any] = {
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris) or None,
        "introspection_resources": list(client.introspection_resources) or None,
        "request_object_signing_alg": client.request_object_signing_alg,
        "default_max_age": client.default_max_age,
    }
    flags = {
        "require_signed_request_object": client.require_signed_request_object,
        "require_auth_time": client.require_auth_time,
    }
    # A client that does not act for people may have them all the same, and keeps them when it is changed.
    members |= {name: flag for name, flag in flags.items() if flag or CODE_GRANT in client.grant_types}
    return {name: value for name, value in members.items() if value is not None}
