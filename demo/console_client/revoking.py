"""The end: the client revokes its tokens (RFC 7009), and checks that they do not work any more."""

from typing import Any

from flask_private_key_jwt.client import ServerMetadata

from .caller import Caller, Exchange
from .outcomes import Note, Outcome, ignore
from .show import Show
from .walk import WentWrong


def revoke_and_try(
    caller: Caller,
    metadata: ServerMetadata,
    tokens: dict[str, Any],
    form: dict[str, str],
    show: Show,
    note: Note = ignore,
) -> None:
    """Revoke the refresh token, then the access token, and try each of them after that.

    :param form: The token request that used the refresh token.
    :param note: Takes what became of each request.
    :raises WentWrong: The server refused, or a revoked token still works at the server.
    """
    revoke(caller, metadata, tokens, "refresh_token", show)
    refresh = caller.post(metadata.token_endpoint, caller.build_assertion(), form)
    show.exchange(refresh)
    check_refused(refresh, 400, "invalid_grant")
    show.good("The refresh token gives no more tokens.")
    note(Outcome("It revokes its refresh token, and tries it once more", refresh))

    revoke(caller, metadata, tokens, "access_token", show)
    userinfo = caller.call_issuer(metadata.endpoint("userinfo_endpoint"), tokens["access_token"])
    show.exchange(userinfo)
    check_refused(userinfo, 401, "invalid_token")
    show.good("The access token opens nothing at the issuer any more.")
    note(Outcome("It revokes its access token, and asks UserInfo once more", userinfo))
    show.note("An API that does not ask the issuer takes it until it expires; require_oauth(…, online=True) asks.")


def revoke(caller: Caller, metadata: ServerMetadata, tokens: dict[str, Any], kind: str, show: Show) -> None:
    """Give one token back, and show it.

    :param kind: ``refresh_token`` or ``access_token``.
    :raises WentWrong: The server refused.
    """
    form = {"token": tokens[kind], "token_type_hint": kind}
    endpoint = metadata.endpoint("revocation_endpoint")
    exchange = caller.post(endpoint, caller.build_assertion(), form, proves=False)
    show.exchange(exchange)
    if exchange.status != 200:
        raise WentWrong(f"The server answered {exchange.status} {exchange.error} where the token was to be revoked.")


def check_refused(exchange: Exchange, status: int, error: str) -> None:
    """Check that a revoked token was refused, and for that cause.

    :raises WentWrong: It was not.
    """
    if (exchange.status, exchange.error) != (status, error):
        came = f"{exchange.status} {exchange.error or ''}".rstrip()
        raise WentWrong(f"The answer was {came} where {status} {error} was due: the token is revoked.")
