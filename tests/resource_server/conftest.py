"""An API under test, an issuer that can be away, and valid tokens and proofs to change one thing of."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import flask
import pytest
from werkzeug.test import TestResponse

from flask_private_key_jwt import ResourceProtector, current_token
from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.fetching.discovery import DiscoveryError
from flask_private_key_jwt.fetching.outbound import Outbound
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.resource_server import issuer_keys
from tests.refusals import Refusal, noting_refusals

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


def add_views(app: flask.Flask, require_oauth: ResourceProtector, *, with_dpop: bool) -> None:
    @app.route("/any", methods=["GET", "POST"])
    @require_oauth()
    def any_token() -> dict[str, Any]:
        return {"client": current_token["client_id"]}

    @app.get("/read")
    @require_oauth("read")
    def read() -> dict[str, Any]:
        return {"claims": dict(current_token)}

    @app.get("/optional")
    @require_oauth("read", optional=True)
    def optional() -> dict[str, Any]:
        return {"client": current_token["client_id"] if current_token else None}

    if with_dpop:

        @app.get("/bound")
        @require_oauth(dpop="required")
        def bound() -> dict[str, Any]:
            return {"client": current_token["client_id"]}


def make_api(**config: Any) -> flask.Flask:
    """An API with a few views; ``/bound`` only where it can check proofs."""
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE="memory")
    app.config.from_mapping(config)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    add_views(app, require_oauth, with_dpop=app.config["OAUTH2_REPLAY_STORE"] is not None)
    return app


@pytest.fixture
def app(issuer: Issuer, settings: dict[str, Any]) -> flask.Flask:
    return make_api(**settings)


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
        self, app: flask.Flask, build_token: Callable[..., str], build_proof: Callable[..., str], key: jose.PrivateKey
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
    app: flask.Flask, build_token: Callable[..., str], build_proof: Callable[..., str], proof_key: jose.PrivateKey
) -> Caller:
    return Caller(app, build_token, build_proof, proof_key)


@pytest.fixture
def make_caller(
    issuer: Issuer, build_token: Callable[..., str], build_proof: Callable[..., str], proof_key: jose.PrivateKey
) -> Iterator[Callable[..., Caller]]:
    """Makes callers of APIs with other settings: ``make_caller(OAUTH2_DPOP_NONCE="required", …)``."""
    with ExitStack() as stack:

        def make(**config: Any) -> Caller:
            caller = Caller(make_api(**config), build_token, build_proof, proof_key)
            caller.refusals = stack.enter_context(noting_refusals(caller.app))
            return caller

        yield make
