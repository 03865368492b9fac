"""Who the person is: the ID token, checked before it is believed, and UserInfo (OpenID Connect Core §3.1.3.7, §5.3)."""

from collections.abc import Sequence
from typing import Any

from flask_private_key_jwt import clock
from flask_private_key_jwt.authorization_server.tokens.id_token import build_at_hash
from flask_private_key_jwt.fetching.discovery import ServerMetadata, fetch_jwks
from flask_private_key_jwt.jose import jose

from .caller import Caller
from .show import Show
from .walk import WentWrong, show_whole

MAX_BYTES = 16384
"""Longest ID token that is looked at."""


def show_id_token(
    caller: Caller, metadata: ServerMetadata, tokens: dict[str, Any], show: Show, *, nonce: str | None
) -> jose.Claims:
    """Show the ID token of a token response, check it, and give its claims.

    :param nonce: What was sent with the request; ``None`` after a refresh.
    :raises WentWrong: There is none, or it is not what it must be.
    :raises DiscoveryError: The server's keys could not be had.
    """
    id_token = tokens.get("id_token")
    if not isinstance(id_token, str):
        raise WentWrong("The server gave no id_token, though openid was asked for.")
    show.jwt("id_token", id_token)
    claims = check_id_token(
        id_token,
        keys=fetch_jwks(metadata.jwks_uri),
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
    keys: Sequence[jose.PublicKey],
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str,
) -> jose.Claims:
    """The claims of an ID token, if it is one of *issuer* for us, of this sign-in (OpenID Connect Core §3.1.3.7).

    :param keys: What the issuer publishes.
    :param access_token: What came with it (§3.1.3.8).
    :raises WentWrong: It is not; the message says what is wrong.
    """
    try:
        jwt = jose.parse(text, max_bytes=MAX_BYTES)
    except jose.JoseProblem as problem:
        raise WentWrong(f"The ID token is unusable: {problem}.") from None
    if jwt.typ not in (None, "jwt"):  # the same key signs access tokens
        raise WentWrong(f"The ID token's typ is {jwt.typ!r}: that is something else.")
    key = next((key for key in keys if key.kid == jwt.kid and key.fits(jwt.alg)), None)
    if key is None or not jose.verify(jwt, key):
        raise WentWrong("The ID token is not signed with a key that the issuer publishes.")
    due = {"iss": issuer, "aud": client_id, "nonce": nonce, "at_hash": build_at_hash(access_token, jwt.alg)}
    for name, value in due.items():
        if jwt.claims.get(name) != value:
            raise WentWrong(f"The ID token's {name} is {jwt.claims.get(name)!r}, not {value!r}.")
    expires_at = jwt.claims.get("exp")
    if not isinstance(expires_at, int) or expires_at <= clock.now():
        raise WentWrong("The ID token has expired.")
    return jwt.claims


def check_same_person(renewed: jose.Claims, first: jose.Claims) -> None:
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
