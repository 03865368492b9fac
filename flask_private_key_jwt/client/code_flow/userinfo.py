"""What the server says about the person who signed in (OpenID Connect Core §5.3), without I/O."""

from collections.abc import Mapping
from typing import Any

from ...fetching.exchange import FetchedAnswer, NoAnswer
from ...fetching.steps import Fetch, Steps
from ..client_steps import ClientSteps
from ..endpoint import ADVICE, FormEndpoint
from ..errors import SignInError, UserInfoError
from ..proofs import Prover
from ..token import Token

USERINFO = FormEndpoint(
    "userinfo_endpoint",
    undone="Nothing is known of the person",
    failure=UserInfoError,
    advice={
        **ADVICE,
        "invalid_token": "The server does not accept its own token: is it revoked? Was openid asked for?",
        "insufficient_scope": "Ask for openid when the person signs in.",
    },
)


def userinfo_steps(client: ClientSteps, prover: Prover | None, token: Token) -> Steps[Mapping[str, Any]]:
    """Ask UserInfo, and once more if the server wants a nonce in the proof and gave it (RFC 9449 §9).

    :param prover: Proves the key that the token is bound to; ``None`` for a Bearer token.
    :raises DiscoveryError: The server's metadata cannot be fetched, or names no UserInfo endpoint.
    :raises UserInfoError: The server did not answer, or refused.
    """
    answer = yield from _get(client, prover, token)
    if answer.status == 401 and prover is not None and prover.learn(answer.headers):
        answer = yield from _get(client, prover, token)
    if answer.status != 200:
        raise USERINFO.refusal(answer, token=token.access_token)
    return USERINFO.load_members(answer)


def check_subject(claims: Mapping[str, Any], subject: str | None) -> None:
    """Check that UserInfo speaks of the person whom the ID token names (§5.3.2): else a token was exchanged.

    :raises SignInError: It does not.
    """
    if subject is None or claims.get("sub") != subject:
        raise SignInError("UserInfo speaks of another person than the ID token.", cause="userinfo_sub")


def _get(client: ClientSteps, prover: Prover | None, token: Token) -> Steps[FetchedAnswer]:
    metadata = yield from client.metadata()
    url = metadata.endpoint(USERINFO.member)
    headers = {"Authorization": f"{token.token_type} {token.access_token}"}
    if prover is not None:
        headers["DPoP"] = prover.prove(method="GET", url=url, access_token=token.access_token)
    try:
        answer: FetchedAnswer = yield Fetch("GET", url, client.timeout, headers=headers)
    except NoAnswer as error:
        raise USERINFO.failure(f"{USERINFO.undone}: {error}") from None
    return answer
