"""Who the person is: the ID token, checked before it is believed, and UserInfo (OpenID Connect Core §3.1.3.7, §5.3)."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from flask_private_key_jwt.client import ServerMetadata

from .caller import Caller, send
from .jwt import encode_base64url
from .show import Show
from .walk import WentWrong, show_whole

ALGS = ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
"""What an issuer may sign with: a public key's algorithms only, never HMAC or none (RFC 8725 §3.1)."""

Claims = Mapping[str, Any]


def show_id_token(
    caller: Caller, metadata: ServerMetadata, tokens: dict[str, Any], show: Show, *, nonce: str | None
) -> Claims:
    """Show the ID token of a token response, check it, and give its claims.

    :param nonce: What was sent with the request; ``None`` after a refresh.
    :raises WentWrong: There is none, or it is not what it must be.
    :raises NoAnswer: The server does not answer.
    """
    id_token = tokens.get("id_token")
    if not isinstance(id_token, str):
        raise WentWrong("The server gave no id_token, though openid was asked for.")
    show.jwt("id_token", id_token)
    claims = check_id_token(
        id_token,
        keys=fetch_keys(metadata.jwks_uri),
        issuer=caller.issuer,
        client_id=caller.client.client_id,
        nonce=nonce,
        access_token=tokens["access_token"],
    )
    show.good(
        "Signed with a key that the issuer publishes; iss, aud and exp are right, "
        f"{'nonce is the one that was sent, ' if nonce else ''}at_hash fits the access token."
    )
    return claims


def check_id_token(
    text: str,
    *,
    keys: KeySet,
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str,
) -> Claims:
    """The claims of an ID token, if it is one of *issuer* for us, of this sign-in (OpenID Connect Core §3.1.3.7).

    :param keys: What the issuer publishes.
    :param access_token: What came with it (§3.1.3.8).
    :raises WentWrong: It is not; the message says what is wrong.
    """
    try:
        token = jwt.decode(text, keys, algorithms=ALGS)
    except (BadSignatureError, InvalidKeyIdError):
        raise WentWrong("The ID token is not signed with a key that the issuer publishes.") from None
    except (JoseError, ValueError) as problem:
        raise WentWrong(f"The ID token is unusable: {problem}.") from None
    claims, typ = token.claims, token.header.get("typ")
    if typ not in (None, "JWT"):  # the same key signs access tokens
        raise WentWrong(f"The ID token's typ is {typ!r}: that is something else.")
    at_hash = build_at_hash(access_token, str(token.header["alg"]))
    due = {"iss": issuer, "aud": client_id, "nonce": nonce, "at_hash": at_hash}
    for name, value in due.items():
        if claims.get(name) != value:
            raise WentWrong(f"The ID token's {name} is {claims.get(name)!r}, not {value!r}.")
    expires_at = claims.get("exp")
    if not isinstance(expires_at, int) or expires_at <= time.time():
        raise WentWrong("The ID token has expired.")
    return claims


def fetch_keys(uri: str) -> KeySet:
    """The keys that the issuer publishes (RFC 7517 §5).

    :raises NoAnswer: The server does not answer.
    :raises WentWrong: What it answered is no JWK Set.
    """
    exchange = send("GET", uri, headers={})
    try:
        return KeySet.import_key_set(exchange.body)
    except (JoseError, ValueError, TypeError, KeyError):
        raise WentWrong(f"{uri} answered {exchange.status} and no JWK Set.") from None


def build_at_hash(access_token: str, alg: str) -> str:
    """What ties an ID token to the access token beside it: half of its hash (OpenID Connect Core §3.1.3.6)."""
    digest = hashlib.new(f"sha{alg[-3:]}", access_token.encode()).digest()
    return encode_base64url(digest[: len(digest) // 2])


def check_same_person(renewed: Claims, first: Claims) -> None:
    """Check that the ID token of a refresh is about the same sign-in (OpenID Connect Core §12.2).

    :raises WentWrong: It is not.
    """
    for name in ("sub", "auth_time"):
        if renewed.get(name) != first.get(name):
            raise WentWrong(f"After the refresh {name} is {renewed.get(name)!r}, before it was {first.get(name)!r}.")


def show_userinfo(caller: Caller, metadata: ServerMetadata, access_token: str, subject: object, show: Show) -> None:
    """Ask UserInfo, and show what it says.

    :param subject: The ``sub`` of the ID token.
    :raises WentWrong: It refused, or speaks of somebody else (OpenID Connect Core §5.3.2).
    """
    exchange = caller.call_issuer(metadata.endpoint("userinfo_endpoint"), access_token)
    show_whole(exchange, show)
    if exchange.status != 200 or not isinstance(exchange.body, dict):
        raise WentWrong(f"UserInfo answered {exchange.status} {exchange.error} where the person's claims were due.")
    if exchange.body.get("sub") != subject:
        raise WentWrong(f"UserInfo speaks of {exchange.body.get('sub')!r}, the ID token of {subject!r}.")
    show.good("UserInfo speaks of the same person as the ID token.")
