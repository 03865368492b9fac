"""An API under test, an issuer that can be away, and valid tokens and proofs to change one thing of."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from werkzeug.test import TestResponse

from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.fetching.discovery import DiscoveryError
from flask_private_key_jwt.fetching.outbound import Outbound
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.resource_server import issuer_keys
from tests.refusals import Refusal, noting_refusals
from tests.resource_server.frameworks import FRAMEWORKS, Api, Served

ISSUER = "https://as.example"
API = "https://api.example"


class Issuer:
    """The authorization server, as far as an API sees it: its keys, which may change or be away."""

    def __init__(self, *keys: jose.PrivateKey) -> None:
        self.away = False
        self.fetches = 0
        self.during_fetch: Callable[[], None] = lambda: None
        self.publish(*keys)

    def publish(self, *keys: jose.PrivateKey) -> None:
        """Replace the published keys."""
        self.jwks: list[dict[str, Any]] = [key.public_jwk() for key in keys]

    def fetch_keys(self, issuer: str, *, timeout: float, outbound: Outbound) -> tuple[jose.PublicKey, ...]:
        """Stands in for discovery and fetching."""
        self.fetches += 1
        self.during_fetch()
        if self.away:
            raise DiscoveryError("the issuer is away")
        return tuple(jose.import_public_jwk(jwk) for jwk in self.jwks)


@pytest.fixture
def issuer_key(keys: Any) -> jose.PrivateKey:
    return keys("ES256", "issuer")


@pytest.fixture
def issuer(issuer_key: jose.PrivateKey, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    made = Issuer(issuer_key)
    monkeypatch.setattr(issuer_keys, "fetch_keys", made.fetch_keys)
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with ``EVERY_FRAMEWORK`` runs its tests of an API in each of them."""
    fixtures = metafunc.fixturenames
    if getattr(metafunc.module, "EVERY_FRAMEWORK", False) and "framework" in fixtures and "in_flask" not in fixtures:
        metafunc.parametrize("framework", list(FRAMEWORKS))


@pytest.fixture
def in_flask() -> None:
    """For a test of what is Flask's own, in a module with ``EVERY_FRAMEWORK``."""


@pytest.fixture
def framework() -> str:
    """The framework of the API under test."""
    return "flask"


@pytest.fixture
def make_api(issuer: Issuer, framework: str) -> Iterator[Callable[..., Api]]:
    """Makes APIs with a few views: ``make_api(OAUTH2_DPOP_NONCE="required", …)``."""
    made: list[Api] = []

    def make(**config: Any) -> Api:
        usual = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API, "OAUTH2_REPLAY_STORE": "memory"}
        made.append(FRAMEWORKS[framework]({**usual, **config}))
        return made[-1]

    yield make
    for api in made:
        if isinstance(api, Served):
            api.close()


@pytest.fixture
def app(make_api: Callable[..., Api], settings: dict[str, Any]) -> Api:
    return make_api(**settings)


@pytest.fixture
def refusals(app: Api) -> Iterator[list[Refusal]]:
    """The private reasons of what the API refused, in order, each with its cause."""
    with noting_refusals(getattr(app, "sender", app)) as noted:
        yield noted


@pytest.fixture
def build_token(clock: Any, issuer_key: jose.PrivateKey) -> Callable[..., str]:
    """``build_token(aud=…, exp=None, header={…}, key=…, bound_to=key)``: valid but for what is given.

    ``None`` leaves a claim out; ``null=["cnf"]`` puts the JSON null in.
    """

    def build(
        *,
        key: jose.PrivateKey | None = None,
        header: dict[str, Any] | None = None,
        bound_to: jose.PrivateKey | None = None,
        null: Sequence[str] = (),
        **changes: Any,
    ) -> str:
        key = key or issuer_key
        claims = {
            "iss": ISSUER,
            "aud": API,
            "sub": "console",
            "client_id": "console",
            "scope": "read write",
            "iat": clock.now,
            "exp": clock.now + 600,
            "jti": secrets.token_urlsafe(12),
            "cnf": {"jkt": bound_to.public.thumbprint} if bound_to else None,
            **changes,
        }
        full = {"typ": "at+jwt", "kid": key.public.thumbprint, **(header or {})}
        return jose.sign(without_none(full), {**without_none(claims), **dict.fromkeys(null)}, key)

    return build


@pytest.fixture
def build_proof(clock: Any, proof_key: jose.PrivateKey) -> Callable[..., str]:
    """A valid proof for ``GET /any`` with a token; claims and header parameters may be changed or removed."""

    def build(
        token: str, *, key: jose.PrivateKey | None = None, header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        key = key or proof_key
        claims = {
            "jti": secrets.token_urlsafe(12),
            "htm": "GET",
            "htu": f"{API}/any",
            "iat": clock.now,
            "ath": access_token_hash(token),
            **changes,
        }
        full = {"typ": "dpop+jwt", "jwk": key.public.jwk, **(header or {})}
        return jose.sign(without_none(full), without_none(claims), key)

    return build


def without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


class Caller:
    """Calls the API as a client would."""

    def __init__(
        self, app: Any, build_token: Callable[..., str], build_proof: Callable[..., str], key: jose.PrivateKey
    ) -> None:
        self.app = app
        self._build_token = build_token
        self._build_proof = build_proof
        self._key = key
        self.refusals: list[Refusal] = []

    def bearer(self, token: str | None = None, *, path: str = "/any", **options: Any) -> TestResponse:
        """A call with a Bearer token; valid unless given."""
        token = self._build_token() if token is None else token
        return self.send(path, Authorization=f"Bearer {token}", **options)

    def dpop(
        self, token: str | None = None, *, proof: str | None = None, path: str = "/any", **options: Any
    ) -> TestResponse:
        """A call with a bound token and its proof; both are valid unless given."""
        token = self._build_token(bound_to=self._key) if token is None else token
        proof = self._build_proof(token, htu=f"{API}{path}") if proof is None else proof
        return self.send(path, Authorization=f"DPoP {token}", DPoP=proof, **options)

    def send(self, path: str, *, method: str = "GET", query: str = "", **headers: str) -> TestResponse:
        """A call with these headers."""
        return self.app.test_client().open(path, method=method, query_string=query, headers=headers)


@pytest.fixture
def call(
    app: Api, build_token: Callable[..., str], build_proof: Callable[..., str], proof_key: jose.PrivateKey
) -> Caller:
    return Caller(app, build_token, build_proof, proof_key)


@pytest.fixture
def make_caller(
    make_api: Callable[..., Api],
    build_token: Callable[..., str],
    build_proof: Callable[..., str],
    proof_key: jose.PrivateKey,
) -> Iterator[Callable[..., Caller]]:
    """Makes callers of APIs with other settings: ``make_caller(OAUTH2_DPOP_NONCE="required", …)``."""
    with ExitStack() as stack:

        def make(**config: Any) -> Caller:
            caller = Caller(make_api(**config), build_token, build_proof, proof_key)
            caller.refusals = stack.enter_context(noting_refusals(getattr(caller.app, "sender", caller.app)))
            return caller

        yield make
