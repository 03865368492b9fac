"""A client of the running server that builds valid messages, changes one thing, and sends them."""

import json
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from ... import clock
from ...client.assertion import ASSERTION_TYPE
from ...dpop.proof import TYP
from ...fetching.exchange import FetchedAnswer
from ...jose import jose
from ...settings.server import ServerSettings
from ...settings.values import OFFLINE_ACCESS
from ..tokens.id_token import OPENID
from .deployment import Outside, find_object

REDIRECT_URI = "https://doctor.invalid/callback"
"""Where codes would be sent; the name never exists (RFC 6761 §6.4), and nobody signs in."""
_SCOPE_OF_NOTHING = "flask-oauth2-doctor"
_SCOPES_OF_PEOPLE = (OPENID, OFFLINE_ACCESS)
_NONCE_HEADER = "DPoP-Nonce"

PUSHED = "pushed_authorization_request_endpoint"

Changes = Mapping[str, Any]
"""Claims or parameters -> their values; ``None`` leaves one out."""


class LiveClient:
    """One client, with keys of its own that exist in this process only.

    :param settings: The server's.
    :param client_id: Its name there.
    :param endpoints: The server's endpoints by their names in the metadata.
    :param outside: The way to the server.
    """

    def __init__(
        self, settings: ServerSettings, client_id: str, endpoints: Mapping[str, str], outside: Outside
    ) -> None:
        self.client_id = client_id
        self.scope = find_scope(settings)
        self.endpoints = endpoints
        self.settings = settings
        self._outside = outside
        self.key = jose.generate_private_key(_choose(settings.ASSERTION_SIGNING_ALGS))
        self.second_key = jose.generate_private_key("PS256") if refuses_rs256(settings) else None
        """A key that could sign with RS256 as well, if that is not accepted."""
        self.proof_key = jose.generate_private_key(_choose(settings.DPOP_SIGNING_ALGS))
        self._nonce: str | None = None

    def describe(self, *, with_people: bool) -> dict[str, Any]:
        """Its registration.

        :param with_people: Whether it may also send authorization requests.
        """
        keys = [key.public_jwk() for key in (self.key, self.second_key) if key is not None]
        return {
            "client_id": self.client_id,
            "jwks": {"keys": keys},
            "scope": self.scope,
            "dpop_bound_access_tokens": True,
            "assertion_audience": "issuer",
            "grant_types": ["client_credentials", *(["authorization_code"] if with_people else [])],
            **({"redirect_uris": [REDIRECT_URI]} if with_people else {}),
        }

    # --- what is signed ---------------------------------------------------------------------------------------
    def assertion(self, changes: Changes | None = None, *, key: jose.PrivateKey | None = None) -> str:
        """A valid client assertion (RFC 7523 §3), changed.

        :param key: Signs it, and is named in it, instead of the client's usual key.
        """
        key = key or self.key
        now = clock.now()
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.settings.ISSUER,
            "jti": secrets.token_urlsafe(18),
            "iat": now,
            "exp": now + 60,
            **(changes or {}),
        }
        return jose.sign({"kid": key.public.thumbprint}, _without_none(claims), key)

    def proof(
        self, changes: Changes | None = None, *, header: Changes | None = None, endpoint: str = "token_endpoint"
    ) -> str:
        """A valid DPoP proof for a POST (RFC 9449 §4.2), changed."""
        claims = {
            "jti": secrets.token_urlsafe(18),
            "htm": "POST",
            "htu": self.endpoints[endpoint],
            "iat": clock.now(),
            "nonce": self._nonce,
            **(changes or {}),
        }
        head = {"typ": TYP, "jwk": self.proof_key.public.jwk, **(header or {})}
        return jose.sign(_without_none(head), _without_none(claims), self.proof_key)

    # --- what is sent -----------------------------------------------------------------------------------------
    def ask_token(
        self, assertion: str | None = None, *, proof: str | None = None, with_assertion: bool = True, bound: bool = True
    ) -> FetchedAnswer:
        """The answer to a token request (RFC 6749 §4.4), valid but for what is given.

        :param with_assertion: ``False``: only the ``client_id`` says whose it is.
        :param bound: ``False``: without a proof.
        """
        form = [("grant_type", "client_credentials"), ("scope", self.scope)]
        form += self._credentials(assertion) if with_assertion else [("client_id", self.client_id)]
        return self._post("token_endpoint", form, {"DPoP": proof or self.proof()} if bound else {})

    def push(self, changes: Changes | None = None, *, assertion: str | None = None) -> FetchedAnswer:
        """The answer to a pushed authorization request (RFC 9126 §2.1), changed."""
        request: dict[str, Any] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": self.scope,
            "resource": self.settings.resources[0],
            "state": secrets.token_urlsafe(9),
            "code_challenge": jose.b64url(sha256(secrets.token_bytes(32)).digest()),
            "code_challenge_method": "S256",
            **(changes or {}),
        }
        form = [*_without_none(request).items(), *self._credentials(assertion)]
        return self._post(PUSHED, form, {"DPoP": self.proof(endpoint=PUSHED)})

    def put_pushed_request(self) -> FetchedAnswer:
        """The answer to a request with a method that the endpoint does not have."""
        return self._outside.ask("PUT", self.endpoints[PUSHED])

    def is_told_a_nonce(self, answer: FetchedAnswer) -> bool:
        """Whether *answer* refused a proof for its nonce (RFC 9449 §8); every answer's nonce is kept."""
        return (find_object(answer) or {}).get("error") == "use_dpop_nonce" and self._nonce is not None

    def _credentials(self, assertion: str | None) -> list[tuple[str, str]]:
        return [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion or self.assertion())]

    def _post(self, endpoint: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> FetchedAnswer:
        answer = self._outside.ask("POST", self.endpoints[endpoint], form=list(form), headers=headers)
        nonce = answer.headers.get(_NONCE_HEADER, "")
        if nonce and len(nonce) < 1000:
            self._nonce = nonce
        return answer


def refuses_rs256(settings: ServerSettings) -> bool:
    """Whether an RSA key can be registered that must not sign with RS256."""
    accepted = settings.ASSERTION_SIGNING_ALGS
    return "PS256" in accepted and "RS256" not in accepted


def find_scope(settings: ServerSettings) -> str:
    """A scope that the client may register; without a person it gets it only if there is one for that."""
    scopes = settings.SCOPES or (_SCOPE_OF_NOTHING,)
    return next((scope for scope in scopes if scope not in _SCOPES_OF_PEOPLE), scopes[0])


def gives_scopes_to_clients(settings: ServerSettings) -> bool:
    """Whether there is a scope that a client can get for itself."""
    return find_scope(settings) not in _SCOPES_OF_PEOPLE


def without_signature(jwt: str) -> str:
    """The same claims under ``alg: none`` (RFC 7515 §A.5)."""
    header, _ = jose.decode_unverified(jwt)
    text = json.dumps({**header, "alg": "none"}).encode()
    return f"{jose.b64url(text)}.{jwt.split('.')[1]}."


def with_other_signature(jwt: str) -> str:
    """The same JWT, with one bit of its signature changed."""
    head, _, signature = jwt.rpartition(".")
    place = len(signature) // 2
    other = "A" if signature[place] != "A" else "B"
    return f"{head}.{signature[:place]}{other}{signature[place + 1 :]}"


def _choose(algs: Sequence[str]) -> str:
    return "ES256" if "ES256" in algs else algs[0]


def _without_none(members: Changes) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
