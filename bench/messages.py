"""Ready HTTP requests, signed just before they are sent: token requests and API calls, no two alike."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode, urlsplit

from flask_private_key_jwt.client import PrivateKey, Prover, build_client_assertion, generate_key

ASSERTION_SECONDS = 120
PROOF_KEYS = 10
SCOPE = "read"


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table."""

    alg: str | None
    """What the client signs its assertion with; ``None`` for an API call."""
    dpop: bool
    first: bool = False
    """Whether the process has not seen the client before."""

    @property
    def name(self) -> str:
        if self.alg is None:
            return "DPoP" if self.dpop else "Bearer"
        name = f"{self.alg} + DPoP" if self.dpop else self.alg
        return f"{name}, first" if self.first else name


TOKEN_REQUESTS = tuple(Variant(alg, dpop) for alg in ("ES256", "RS256") for dpop in (False, True))
FIRST_REQUEST = Variant("ES256", dpop=False, first=True)
API_CALLS = tuple(Variant(None, dpop) for dpop in (False, True))


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the measured server."""

    client_id: str
    key: PrivateKey

    def metadata(self) -> dict[str, object]:
        """Its registration (RFC 7591)."""
        return {"client_id": self.client_id, "scope": SCOPE, "jwks": {"keys": [self.key.public_jwk()]}}


def make_clients(alg: str, count: int, *, name: str = "") -> list[Client]:
    """Clients with a key each.

    :param name: Tells several such lists apart.
    """
    made = (generate_key(alg) for _ in range(count))
    return [Client(f"{alg.lower()}{name}-{number:05d}", key) for number, key in enumerate(made)]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and the key it is bound to."""

    value: str
    key: PrivateKey | None


class Messages:
    """Builds requests to one token server and one API.

    :param issuer: The token server's issuer; its token endpoint is ``/oauth2/token`` below.
    :param api_url: The view that is called.
    :param clients: The registered clients by algorithm; each takes its turn.
    """

    def __init__(self, issuer: str, api_url: str, clients: Mapping[str, Sequence[Client]]) -> None:
        self._issuer = issuer
        self._token_url = f"{issuer}/oauth2/token"
        self._api_url = api_url
        self._turns = {alg: itertools.cycle(members) for alg, members in clients.items()}

    @cached_property
    def proof_keys(self) -> list[PrivateKey]:
        """The keys that sign DPoP proofs."""
        return [generate_key("ES256") for _ in range(PROOF_KEYS)]

    def token_requests(self, variant: Variant, count: int) -> list[bytes]:
        """Token requests by ``client_credentials``; with DPoP, request *n* is signed by proof key *n* modulo ten."""
        assert variant.alg is not None
        proofs = self._proofs("POST", self._token_url) if variant.dpop else itertools.repeat(None)
        clients = itertools.islice(self._turns[variant.alg], count)
        return [self._token_request(client, proof) for client, proof in zip(clients, proofs, strict=False)]

    def first_requests(self, clients: Iterator[Client], count: int) -> list[bytes]:
        """Token requests of *clients*, one each."""
        return [self._token_request(client, None) for client in itertools.islice(clients, count)]

    def api_calls(self, tokens: Sequence[Token], count: int) -> list[bytes]:
        """Calls of the API with *tokens* in turn."""
        return [self._api_call(token) for token in itertools.islice(itertools.cycle(tokens), count)]

    def _token_request(self, client: Client, proof: str | None) -> bytes:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": build_client_assertion(
                client.client_id, self._issuer, key=client.key, lifetime=ASSERTION_SECONDS, typ="JWT"
            ),
            "scope": SCOPE,
        }
        body = urlencode(form)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
        return _http("POST", self._token_url, headers | ({"DPoP": proof} if proof else {}), body)

    def _api_call(self, token: Token) -> bytes:
        if token.key is None:
            return _http("GET", self._api_url, {"Authorization": f"Bearer {token.value}"})
        proof = _proof(token.key, "GET", self._api_url, access_token=token.value)
        return _http("GET", self._api_url, {"Authorization": f"DPoP {token.value}", "DPoP": proof})

    def _proofs(self, method: str, url: str) -> Iterator[str]:
        return (_proof(key, method, url) for key in itertools.cycle(self.proof_keys))


def _proof(key: PrivateKey, method: str, url: str, *, access_token: str | None = None) -> str:
    return Prover(key).prove(method=method, url=url, access_token=access_token)


def _http(method: str, url: str, headers: dict[str, str], body: str = "") -> bytes:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()
