"""The requests of a client, made one by one from the library's parts so that each can be shown, and misused.

An application needs none of this: ``session.auth = PrivateKeyJWTAuth(…)`` does it all, see ``watch.py``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from flask_private_key_jwt.client import (
    Prover,
    ServerMetadata,
    TokenClient,
    build_client_assertion,
    generate_key,
    load_key,
)

from ..clients import DemoClient

TIMEOUT_SECONDS = 10.0
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""What a client assertion is called in a form (RFC 7523 §2.2)."""
_CHALLENGE_ERROR = re.compile(r'\berror="([^"]*)"')


class NoAnswer(Exception):
    """A server did not answer; the message says which."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it was sent, and its answer."""

    method: str
    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    status: int
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """The answer's JSON; ``None`` when it is none."""
    after_nonce: bool = False
    """Whether the server first refused it with ``use_dpop_nonce``."""

    @property
    def reference(self) -> str | None:
        """What ties a refusal to the server's log."""
        return self.answer_headers.get("Error-Reference")

    @property
    def error(self) -> str | None:
        """The OAuth error code: the body's, else the challenge's (RFC 6749 §5.2, RFC 6750 §3, RFC 9449 §7.1)."""
        if isinstance(self.body, dict) and "error" in self.body:
            return str(self.body["error"])
        found = _CHALLENGE_ERROR.search(self.answer_headers.get("WWW-Authenticate", ""))
        return found[1] if found else None


class Caller:
    """One client with its key, a DPoP key made on the spot when it needs one, and the two servers it talks to.

    :param issuer: The token server.
    :param api: The API's origin, which is its resource identifier too.
    :raises ConfigurationError: The key file cannot be read, or holds no key for the client's algorithm.
    """

    def __init__(self, client: DemoClient, *, issuer: str, api: str) -> None:
        self.client = client
        self.issuer = issuer
        self.api = api
        self.key = load_key(client.key_file, alg=client.alg)
        self.dpop_key = generate_key() if client.dpop else None
        self._token_client = TokenClient(issuer, client.client_id, key=self.key)
        # Two, because each server has nonces of its own.
        self._prover_for_tokens = Prover(self.dpop_key) if self.dpop_key else None
        self._prover_for_api = Prover(self.dpop_key) if self.dpop_key else None

    @property
    def values_url(self) -> str:
        """What the client wants from the API."""
        return self.api + self.client.path

    def discover(self) -> ServerMetadata:
        """The token server's metadata (RFC 8414), fetched at first use.

        :raises DiscoveryError: There is none for this issuer.
        """
        return self._token_client.metadata()

    def build_assertion(self) -> str:
        """A fresh client assertion (RFC 7523 §3)."""
        return build_client_assertion(self.client.client_id, self.issuer, key=self.key)

    def ask_token(self, token_endpoint: str, assertion: str) -> Exchange:
        """Ask for a token with client_credentials (RFC 6749 §4.4, RFC 7521 §4.2).

        :raises NoAnswer: The server does not answer.
        """
        return self.post(
            token_endpoint,
            assertion,
            {"grant_type": "client_credentials", "scope": self.client.scope, "resource": self.api},
        )

    def post(self, url: str, assertion: str, form: Mapping[str, str], *, proves: bool = True) -> Exchange:
        """Send *form* to an endpoint of the token server, as this client.

        :param proves: Whether to send a proof if the client has a DPoP key; not needed if no token is bound.
        :raises NoAnswer: The server does not answer.
        """
        prover = self._prover_for_tokens if proves else None
        fields = {**form, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

        def attempt() -> Exchange:
            headers = {"DPoP": prover.prove(method="POST", url=url)} if prover else {}
            return send("POST", url, headers=headers, form=fields)

        return _with_nonce(attempt, prover)

    def call_api(self, access_token: str) -> Exchange:
        """Call the API in the client's own way: ``Bearer``, or ``DPoP`` with a proof (RFC 9449 §7.1).

        :raises NoAnswer: The server does not answer.
        """
        return _get(self.values_url, access_token, self._prover_for_api)

    def call_issuer(self, url: str, access_token: str) -> Exchange:
        """The same at a protected resource of the token server itself, such as UserInfo.

        :raises NoAnswer: The server does not answer.
        """
        return _get(url, access_token, self._prover_for_tokens)

    def call_api_with(self, prover: Prover, access_token: str) -> Exchange:
        """Call the API with a proof of *prover*'s key, whoever that is.

        :raises NoAnswer: The server does not answer.
        """
        return _get_once(self.values_url, access_token, prover)


def send(method: str, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Exchange:
    """Send one request, as it is.

    :raises NoAnswer: The server does not answer.
    """
    try:
        with requests.Session() as session:
            session.trust_env = False  # the demo's servers are on this machine: no proxy, and no password of .netrc
            answer = session.request(
                method, url, data=form, headers=dict(headers), timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
    except requests.RequestException as error:
        raise NoAnswer(f"{url} did not answer: {type(error).__name__}.") from None
    try:
        body = answer.json()
    except ValueError:
        body = None
    return Exchange(method, url, headers, form or {}, answer.status_code, answer.headers, body)


def _get(url: str, access_token: str, prover: Prover | None) -> Exchange:
    return _with_nonce(lambda: _get_once(url, access_token, prover), prover)


def _get_once(url: str, access_token: str, prover: Prover | None) -> Exchange:
    if prover is None:
        return send("GET", url, headers={"Authorization": f"Bearer {access_token}"})
    proof = prover.prove(method="GET", url=url, access_token=access_token)
    return send("GET", url, headers={"Authorization": f"DPoP {access_token}", "DPoP": proof})


def _with_nonce(attempt: Callable[[], Exchange], prover: Prover | None) -> Exchange:
    """Send, and once more when the server wants its nonce in the proof (RFC 9449 §8, §9)."""
    first = attempt()
    knows_nonce = prover is not None and prover.learn(first.answer_headers)
    return replace(attempt(), after_nonce=True) if knows_nonce and first.error == "use_dpop_nonce" else first
