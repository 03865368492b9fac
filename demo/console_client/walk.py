"""One client's way from discovery to the API's answer, each step shown."""

from typing import Any

from .caller import Caller, Exchange
from .jwt import decode_unverified
from .outcomes import Note, Outcome, ignore
from .show import Show

SHOWN_METADATA = (
    "issuer",
    "token_endpoint",
    "jwks_uri",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "dpop_signing_alg_values_supported",
)


class WentWrong(Exception):
    """Something did not go as it must; the message says what."""


def walk(caller: Caller, show: Show, note: Note = ignore) -> None:
    """Go all the way, for :attr:`Caller.client`.

    :param note: Takes what became of each request.
    :raises WentWrong: A server refused, or a token is not what it must be.
    """
    client = caller.client
    show.title(f"{client.client_id}: {'DPoP' if client.dpop else 'Bearer'}, GET {client.path}, scope {client.scope}")

    show.step("1 Discovery (RFC 8414)")
    metadata = caller.discover()
    show.members({name: metadata.raw[name] for name in SHOWN_METADATA if name in metadata.raw})

    show.step("2 Client assertion (RFC 7523): who asks")
    assertion = caller.build_assertion()
    show.jwt("client_assertion", assertion)
    show.note("Signed with the client's own key; the server has the public half only. Good for a minute, and once.")

    show.step("3 Token request and response")
    exchange = caller.ask_token(metadata.token_endpoint, assertion)
    show_whole(exchange, show)
    access_token = check_token_response(exchange, caller)
    note(Outcome(f"{client.client_id} signs an assertion and gets a token", exchange))

    show.step("4 Access token (RFC 9068)")
    show.jwt("access_token", access_token)
    show.good(check_binding(access_token, caller))

    show.step("5 The API's answer")
    exchange = call_api(caller, access_token, show)
    note(Outcome(f"It calls the API with {'the token and a proof' if client.dpop else 'the token'}", exchange))


def call_api(caller: Caller, access_token: str, show: Show) -> Exchange:
    """Call the API and show it.

    :raises WentWrong: The API refused.
    """
    exchange = caller.call_api(access_token)
    show_whole(exchange, show)
    if exchange.status != 200:
        raise WentWrong(f"The API answered {exchange.status} where 200 was due.")
    show.good("The API answered.")
    return exchange


def show_whole(exchange: Exchange, show: Show) -> None:
    """A request, its proof decoded, and its answer."""
    show.request(exchange)
    show_proof(exchange, show)
    show.answer(exchange)


def show_proof(exchange: Exchange, show: Show) -> None:
    """The DPoP proof of a request, decoded, when it has one."""
    if "DPoP" in exchange.headers:
        show.jwt("DPoP proof (RFC 9449)", exchange.headers["DPoP"])


def check_token_response(exchange: Exchange, caller: Caller) -> str:
    """The access token of a token response.

    :raises WentWrong: There is none, or of another type.
    """
    body: Any = exchange.body
    if exchange.status != 200 or not isinstance(body, dict):
        raise WentWrong(f"The token endpoint answered {exchange.status} {exchange.error} where a token was due.")
    expected = "DPoP" if caller.client.dpop else "Bearer"
    if body.get("token_type") != expected:
        raise WentWrong(f"token_type is {body.get('token_type')!r}, not {expected!r}.")
    return str(body["access_token"])


def check_binding(access_token: str, caller: Caller) -> str:
    """What binds the token, in a sentence (RFC 9449 §6.1).

    :raises WentWrong: It is not bound to the client's DPoP key, or bound though it should not be.
    """
    _, claims = decode_unverified(access_token)
    bound_to = claims.get("cnf", {}).get("jkt")
    if caller.dpop_key is None:
        if bound_to is not None:
            raise WentWrong("The token is bound to a key, but no proof was sent.")
        return "No cnf: a Bearer token, good for whoever holds it."
    if bound_to != caller.dpop_key.public.thumbprint:
        raise WentWrong(f"cnf.jkt is {bound_to!r}, which is not the thumbprint of the proof's key.")
    return f"cnf.jkt {bound_to} is the thumbprint of the key that made the proof: worthless without that key."
