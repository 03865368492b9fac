"""A sign-in that is under way, and an ID token to change one thing of."""

from dataclasses import replace

import pytest

from flask_private_key_jwt.client.code_flow.pending import PendingSignIn
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.at_hash import build_at_hash
from tests.conftest import ISSUER, START

CLIENT = "webapp"
REDIRECT_URI = "https://app.example/callback"
PENDING = PendingSignIn(
    ISSUER, CLIENT, REDIRECT_URI, state="st-" + "s" * 29, nonce="no-" + "n" * 29, code_verifier="v" * 43,
    started_at=START, scope="openid read", resources=("https://api.example",), jkt="j" * 43,
)  # fmt: skip
ANSWER = {"code": "c-1", "state": PENDING.state, "iss": ISSUER}


@pytest.fixture
def make_pending():
    return lambda **changes: replace(PENDING, **changes)


@pytest.fixture(scope="session")
def issuer_key(keys):
    return keys("ES256", "issuer")


@pytest.fixture
def published(issuer_key):
    return [issuer_key.public]


@pytest.fixture
def build_id_token(clock, issuer_key):
    """A valid ID token, changed: claims by name, ``None`` leaves one out; ``header``; ``key``."""

    def build(*, key=None, header=None, **changes):
        key = key or issuer_key
        claims = {
            "iss": ISSUER,
            "sub": "alice",
            "aud": CLIENT,
            "iat": clock.now,
            "exp": clock.now + 300,
            "auth_time": clock.now - 5,
            "nonce": PENDING.nonce,
            "at_hash": build_at_hash("at-1", key.alg),
            **changes,
        }
        full = {"typ": "JWT", "kid": key.public.thumbprint, **(header or {})}
        return jose.sign(
            {name: value for name, value in full.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
            key,
        )

    return build
