"""The requests of a client, made one by one from the library's parts so that each can be shown, and misused.

An application needs none of this: ``session.auth = PrivateKeyJWTAuth(…)`` does it all, see ``watch.py``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask_private_key_jwt.client import build_client_assertion, load_key
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.client.challenge import find_challenge_error
from flask_private_key_jwt.client.proofs import Prover
from flask_private_key_jwt.fetching.discovery import ServerMetadata, exchange, fetch_metadata
from flask_private_key_jwt.jose import jose

from ..clients import DemoClient

TIMEOUT_SECONDS = 10.0


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
    def error(self) -> str | None:
        """The OAuth error code: the body's, else the challenge's (RFC 6749 §5.2, RFC 6750 §3, RFC 9449 §7.1)."""
        if isinstance(self.body, dict) and "error" in self.body:
            return str(self.body["error"])
        challenge = self.answer_headers.get("WWW-Authenticate")
        return find_challenge_error(challenge, "DPoP") or find_challenge_error(challenge, "Bearer")


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
        self.dpop_key = jose.generate_private_key("ES256") if client.dpop else None
        # Two, because each server has nonces of its own.
        self._prover_for_tokens = Prover(self.dpop_key) if self.dpop_key else None
        self._prover_for_api = Prover(self.dpop_key) if self.dpop_key else None

    @property
    def values_url(self) -> str:
        """What the client wants from the API."""
        return self.api + self.client.path

    def discover(self) -> ServerMetadata:
        """Fetch the token server's metadata (RFC 8414).

        :raises DiscoveryError: There is none that speaks for the issuer.
        """
        return fetch_metadata(self.issuer)

    def build_assertion(self) -> str:
        """A fresh client assertion (RFC 7523 §3)."""
        return build_client_assertion(self.client.client_id, self.issuer, key=self.key)

    def ask_token(self, token_endpoint: str, assertion: str) -> Exchange:
        """Ask for a token with client_credentials (RFC 6749 §4.4, RFC 7521 §4.2).

        :raises NoAnswer: The server is away.
        """
        return self.post(
            token_endpoint,
            assertion,
            {"grant_type": "client_credentials", "scope": self.client.scope, "resource": self.api},
        )

    def post(self, url: str, assertion: str, form: Mapping[str, str], *, proves: bool = True) -> Exchange:
        """Send *form* to an endpoint of the token server, as this client.

        :param proves: Whether a proof goes along if the client has a DPoP key: not where no token is bound.
        :raises NoAnswer: The server is away.
        """
        prover = self._prover_for_tokens if proves else None
        fields = {**form, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

        def attempt() -> Exchange:
            headers = {"DPoP": prover.prove(method="POST", url=url)} if prover else {}
            return send("POST", url, headers=headers, form=fields)

        return _with_nonce(attempt, prover)

    def call_api(self, access_token: str) -> Exchange:
        """Call the API in the client's own way: ``Bearer``, or ``DPoP`` with a proof (RFC 9449 §7.1).

        :raises NoAnswer: The server is away.
        """
        return _get(self.values_url, access_token, self._prover_for_api)

    def call_issuer(self, url: str, access_token: str) -> Exchange:
        """The same at a protected resource of the token server itself, such as UserInfo.

        :raises NoAnswer: The server is away.
        """
        return _get(url, access_token, self._prover_for_tokens)

    def call_api_with(self, prover: Prover, access_token: str) -> Exchange:
        """Call the API with a proof of *prover*'s key, whoever that is.

        :raises NoAnswer: The server is away.
        """
        return _get_once(self.values_url, access_token, prover)


def send(method: str, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Exchange:
    """Send one request, as it is.

    :raises NoAnswer: The server is away.
    """
    fields = None if form is None else list(form.items())
    answer = exchange(method, url, timeout=TIMEOUT_SECONDS, form=fields, headers=headers)
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    return Exchange(method, url, headers, form or {}, answer.status, answer.headers, body)


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
