"""What an authorization request asks (RFC 6749 §4.1.1), and its forms: a URL, a form to push, a signed object."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ... import clock
from ...errors import ConfigurationError
from ...jose import jose
from ...web.url import BadURL, read_url
from .pending import PendingSignIn

OBJECT_TYP = "oauth-authz-req+jwt"
OBJECT_LIFETIME_SECONDS = 300

OWN = frozenset(
    {
        "response_type",
        "response_mode",
        "client_id",
        "client_assertion",
        "client_assertion_type",
        "client_secret",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "dpop_jkt",
        "resource",
        "max_age",
        "request",
        "request_uri",
    }
)
"""The parameters that this client sets; the program cannot replace them."""


def check_redirect_uri(uri: str) -> None:
    """Check that nobody on the network can read what a browser brings there (RFC 6749 §3.1.2, RFC 8252 §7).

    :raises ConfigurationError: It is neither https, nor http on loopback, nor of a private scheme; or has a fragment.
    """
    try:
        url = read_url(uri if isinstance(uri, str) else "")
        if url.is_web:
            url.check_protected()
    except BadURL as problem:
        raise ConfigurationError(f"The redirect URI {uri!r} {problem}.") from None
    if url.fragment is not None or not (url.is_web or "." in url.scheme):
        raise ConfigurationError(f"The redirect URI {uri!r} must be an https URL without a fragment.")


def build_request(pending: PendingSignIn, *, more: Mapping[str, str | None] | None = None) -> list[tuple[str, str]]:
    """The parameters of an authorization request.

    :param more: Further parameters, such as ``prompt`` or ``login_hint``; without those that are ``None``.
    :raises ConfigurationError: *more* has a parameter that this client sets itself.
    """
    further = {name: value for name, value in (more or {}).items() if value is not None}
    if taken := OWN & further.keys():
        raise ConfigurationError(f"The parameter {min(taken)} is set by this client, and cannot be given.")
    values = {
        "response_type": "code",
        "client_id": pending.client_id,
        "redirect_uri": pending.redirect_uri,
        "scope": pending.scope,
        "state": pending.state,
        "nonce": pending.nonce if pending.wants_id_token else None,
        "code_challenge": pending.code_challenge,
        "code_challenge_method": "S256",
        "dpop_jkt": pending.jkt,
        "max_age": None if pending.max_age is None else str(pending.max_age),
        **further,
    }
    return [
        *((name, value) for name, value in values.items() if value is not None),
        *(("resource", resource) for resource in pending.resources),
    ]


def build_url(endpoint: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The URL to send the browser to; an endpoint may have a query of its own (RFC 6749 §3.1)."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


def sign_request(
    parameters: Sequence[tuple[str, str]], *, audience: str, key: jose.PrivateKey, header: Mapping[str, Any]
) -> str:
    """The request object of a request (RFC 9101 §4), with the times of FAPI 2.0 Message Signing §5.3.1.

    :param audience: The server's issuer identifier.
    :param header: How the server finds the key: ``kid``, ``x5t``.
    """
    now = clock.now()
    values: dict[str, Any] = {name: value for name, value in parameters if name != "resource"}
    resources = [value for name, value in parameters if name == "resource"]
    claims = {
        "iss": values["client_id"],
        "aud": audience,
        "iat": now,
        "nbf": now,
        "exp": now + OBJECT_LIFETIME_SECONDS,
        "jti": secrets.token_urlsafe(18),
        **values,
        **({"max_age": int(values["max_age"])} if "max_age" in values else {}),
        **({"resource": resources[0] if len(resources) == 1 else resources} if resources else {}),
    }
    return jose.sign({"typ": OBJECT_TYP, **header}, claims, key)
