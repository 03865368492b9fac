"""A client that acts for a person, step by step: PAR, PKCE, DPoP, browser, code, ID token, UserInfo, refresh."""

import hmac
import secrets
import webbrowser
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlencode

from flask_private_key_jwt.client import ServerMetadata

from .caller import Caller, Exchange
from .jwt import encode_base64url
from .loopback import LoopbackListener
from .openid import check_same_person, show_id_token, show_userinfo
from .outcomes import Note, Outcome, ignore
from .revoking import revoke_and_try
from .show import Show
from .walk import WentWrong, call_api, check_binding, check_token_response, show_whole

SHOWN_METADATA = (
    "issuer",
    "pushed_authorization_request_endpoint",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "revocation_endpoint",
    "code_challenge_methods_supported",
    "authorization_response_iss_parameter_supported",
)
PATIENCE_SECONDS = 300.0
"""How long a person may take to sign in."""

OpenBrowser = Callable[[str], None]
"""Brings the person to an address."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random values of one run of the client, which nobody else knows."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """The answer must contain it; otherwise it is for another request (RFC 6749 §10.12)."""
    code_verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    """Without it nobody can redeem the code (RFC 7636)."""
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """The ID token must contain it; otherwise it is from another sign-in (OpenID Connect Core §3.1.2.1)."""

    @property
    def code_challenge(self) -> str:
        """What the server gets to see of the verifier (RFC 7636 §4.2)."""
        return encode_base64url(sha256(self.code_verifier.encode()).digest())


def walk_code_flow(caller: Caller, show: Show, open_browser: OpenBrowser, note: Note = ignore) -> None:
    """Go all the way, for :attr:`Caller.client`.

    :param note: Takes what became of each request.
    :raises WentWrong: A server or the person refused, or an answer is not what it must be.
    :raises NobodyCame: The person did not finish.
    """
    client = caller.client
    show.title(f"{client.client_id}: for a person, DPoP, GET {client.path}, scope {client.scope}")

    show.step("1 Discovery (RFC 8414)")
    metadata = caller.discover()
    show.members({name: metadata.raw[name] for name in SHOWN_METADATA if name in metadata.raw})

    own = Secrets()
    form = sign_in(caller, metadata, own, show, open_browser)

    show.step("5 The code becomes tokens (RFC 6749 §4.1.3)")
    exchange = ask(caller, metadata, form, show)
    note(Outcome(f"{client.client_id} gets tokens for a person who signed in", exchange))
    tokens = dict(exchange.body)

    show.step("6 The ID token (OpenID Connect Core §2): who signed in")
    claims = show_id_token(caller, metadata, tokens, show, nonce=own.nonce)

    show.step("7 UserInfo (OpenID Connect Core §5.3): what else this client may know of them")
    show_userinfo(caller, metadata, tokens["access_token"], claims.get("sub"), show)

    show.step("8 The API's answer")
    note(Outcome("It calls the API for that person", call_api(caller, tokens["access_token"], show)))

    show.step("9 Refresh (RFC 6749 §6): new tokens, without the person")
    if "refresh_token" not in tokens:
        raise WentWrong("The server gave no refresh_token.")
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "resource": caller.api}
    exchange = ask(caller, metadata, form, show)
    note(Outcome("It gets new tokens with its refresh token", exchange))
    tokens = {**tokens, **exchange.body}
    check_same_person(show_id_token(caller, metadata, tokens, show, nonce=None), claims)

    show.step("10 The API's answer, with the new token")
    call_api(caller, tokens["access_token"], show)

    show.step("11 Revocation (RFC 7009): the client is done, and gives its tokens back")
    revoke_and_try(caller, metadata, tokens, {**form, "refresh_token": tokens["refresh_token"]}, show, note)


def sign_in(
    caller: Caller, metadata: ServerMetadata, own: Secrets, show: Show, open_browser: OpenBrowser
) -> dict[str, str]:
    """Send the person to the token server, and take the answer: the token request that redeems their code.

    :raises WentWrong: The server or the person refused, or the answer is not ours.
    :raises NobodyCame: The person did not finish.
    """
    with LoopbackListener(str(caller.client.redirect_path)) as listener:
        request_uri = push(caller, metadata, own, listener.redirect_uri, show)

        show.step("3 The person signs in and decides, in the browser")
        query = urlencode({"client_id": caller.client.client_id, "request_uri": request_uri})
        open_browser(f"{metadata.endpoint('authorization_endpoint')}?{query}")
        answer = listener.wait(PATIENCE_SECONDS)

    show.step("4 Authorization response, at the listener on loopback")
    show.members(dict(answer))
    code = check_answer(answer, own.state, caller.issuer)
    show.good("state is the one that was sent, iss the server that was asked (RFC 9207).")
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": listener.redirect_uri,
        "code_verifier": own.code_verifier,
        "resource": caller.api,
    }


def push(caller: Caller, metadata: ServerMetadata, own: Secrets, redirect_uri: str, show: Show) -> str:
    """Push the authorization request; its ``request_uri`` (RFC 9126).

    The proof binds the code to the DPoP key (RFC 9449 §10.1).

    :raises WentWrong: The server refused.
    """
    show.step("2 Pushed authorization request (RFC 9126): what is asked does not go through the browser")
    form = {
        "response_type": "code",
        "client_id": caller.client.client_id,
        "redirect_uri": redirect_uri,
        "scope": caller.client.scope,
        "resource": caller.api,
        "state": own.state,
        "nonce": own.nonce,
        "code_challenge": own.code_challenge,
        "code_challenge_method": "S256",
    }
    endpoint = metadata.endpoint("pushed_authorization_request_endpoint")
    exchange = caller.post(endpoint, caller.build_assertion(), form)
    show_whole(exchange, show)
    if exchange.status != 201 or not isinstance(exchange.body, dict) or "request_uri" not in exchange.body:
        raise WentWrong(f"The server answered {exchange.status} {exchange.error} where a request_uri was due.")
    return str(exchange.body["request_uri"])


def check_answer(answer: Iterable[tuple[str, str]], state: str, issuer: str) -> str:
    """The code of an authorization response, if it is the answer to our request, and from the server we asked.

    :raises WentWrong: It is not, or says no; an error counts only once the answer is known to be ours.
    """
    pairs = list(answer)
    members = dict(pairs)
    if len(members) != len(pairs):
        raise WentWrong("The authorization response holds a parameter twice.")
    if not hmac.compare_digest(members.get("state", "").encode(), state.encode()):
        raise WentWrong("The authorization response has another state: it is not the answer to this request.")
    if members.get("iss") != issuer:
        # RFC 9207 §2.4: otherwise the code of one server could be sent to another server.
        raise WentWrong(f"The authorization response is from {members.get('iss')!r}, not from {issuer!r}.")
    if "error" in members:
        raise WentWrong(f"No code: {members['error']}. {members.get('error_description', '')}".rstrip())
    if not members.get("code"):
        raise WentWrong("The authorization response holds neither a code nor an error.")
    return members["code"]


def ask(caller: Caller, metadata: ServerMetadata, form: dict[str, str], show: Show) -> Exchange:
    """Ask the token endpoint, and show the tokens.

    :raises WentWrong: The server refused, or the access token is not bound to our key.
    """
    exchange = caller.post(metadata.token_endpoint, caller.build_assertion(), form)
    show_whole(exchange, show)
    access_token = check_token_response(exchange, caller)
    show.jwt("access_token (RFC 9068)", access_token)
    show.good(check_binding(access_token, caller))
    return exchange


def open_real_browser(url: str, show: Show, *, start: bool) -> None:
    """Bring the person to *url*.

    :param start: Whether to start a browser; the address is shown in any case.
    """
    show.note("Open this address, sign in, and decide:" if not start else "If no browser opens, open this address:")
    show.address(url)
    if start:
        webbrowser.open(url)
