"""client/assertion.py: what a client assertion holds."""

import pytest

from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import build_self_signed, load_certificate

ISSUER = "https://as.example"


@pytest.fixture
def build(key):
    return lambda **options: jose.parse(
        build_client_assertion("billing", ISSUER, **{"key": key, **options}), max_bytes=8192
    )


def test_the_claims_are_those_of_rfc_7523(build, clock):
    claims = dict(build().claims)

    assert len(claims.pop("jti")) == 32
    assert claims == {"iss": "billing", "sub": "billing", "aud": ISSUER, "iat": clock.now, "exp": clock.now + 60}


def test_the_lifetime_may_be_chosen(build, clock):
    assert build(lifetime=5).claims["exp"] == clock.now + 5


def test_no_two_assertions_are_the_same(build):
    assert build().claims["jti"] != build().claims["jti"]


def test_the_key_is_named_by_its_thumbprint(build, key):
    assert build().header == {"alg": "ES256", "kid": key.public.thumbprint}


def test_the_key_is_named_by_the_kid_of_its_jwk(build, key):
    named = jose.import_private_key(key.as_jwk() | {"kid": "mine"})

    assert build(key=named).kid == "mine"


def test_the_name_of_the_key_may_be_given(build):
    assert build(kid="theirs").kid == "theirs"


def test_the_key_may_go_unnamed(build):
    assert build(kid="").header == {"alg": "ES256"}


def test_a_certificate_names_the_key_as_dotnet_does(build, key, clock):
    certificate = load_certificate(build_self_signed(key, common_name="billing", days=1, now=clock.now))

    assert build(certificate=certificate).header == {
        "alg": "ES256",
        "kid": certificate.sha1_hex,
        "x5t": certificate.x5t,
    }
    assert build(certificate=certificate, kid="theirs").kid == "theirs"


def test_a_type_is_sent_only_when_asked_for(build):
    assert build().typ is None
    assert build(typ="client-authentication+jwt").typ == "client-authentication+jwt"


@pytest.mark.parametrize(
    "alg", ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "EdDSA", "Ed25519"]
)
def test_every_algorithm_signs(alg, build, keys):
    signed = build(key=keys(alg, "client"))

    assert signed.alg == alg
    assert jose.verify(signed, keys(alg, "client").public)
