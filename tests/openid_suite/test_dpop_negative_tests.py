"""Module dpop-negative-tests: about 40 proofs at the API, in one flow for each algorithm, with nonces and without."""

import base64
import json
import secrets
from dataclasses import dataclass

import pytest

from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.jose import jose
from tests.openid_suite.relying_party import ACCOUNTS, ISSUER, RelyingParty, b64, check_accounts
from tests.openid_suite.variants import BOTH_ALGS, NONCES_OR_NOT
from tests.refusals import causes

pytestmark = [BOTH_ALGS, NONCES_OR_NOT]
HTU = ISSUER + ACCOUNTS


@dataclass
class Caller:
    """Calls the API with proofs for a token that is good; the nonce is known already."""

    client: RelyingParty
    token: str

    def build(self, **changes):
        return self.client.proof("GET", ACCOUNTS, access_token=self.token, **changes)

    def send(self, proof, *, scheme="DPoP", name="DPoP", query=""):
        headers = [("Authorization", f"{scheme} {self.token}")]
        headers += [(name, value) for value in (proof if isinstance(proof, list) else [proof]) if value is not None]
        return self.client.call_raw(headers, query=query)


@pytest.fixture
def caller(client):
    token = client.get_token()["access_token"]
    check_accounts(client.call(token))
    return Caller(client, token)


# --- must succeed ---------------------------------------------------------------------------------------------
def test_dpop_negative_tests_that_succeed(caller):
    build, send = caller.build, caller.send

    check_accounts(send(build(), name="DPOP"))
    check_accounts(send(build(htu=f"{HTU}?a=b#c")))
    check_accounts(send(build(htu=f"{HTU}?a=b")))
    check_accounts(send(build(htu=f"{HTU}#c")))
    check_accounts(send(build(), query="a=b"))
    check_accounts(send(build(htu="HTTPS://AS.EXAMPLE/accounts")))
    check_accounts(send(build(htu="https://as.example:443/accounts")))
    check_accounts(send(build(header={"unknown": "x"}, unknown={"x": 1})))
    check_accounts(send(build()))


# --- must fail ------------------------------------------------------------------------------------------------
def take_apart(proof):
    header, claims, signature = proof.split(".")
    return json.loads(base64.urlsafe_b64decode(header + "==")), claims, signature


def without_alg(build):
    header, claims, signature = take_apart(build())
    return f"{b64({name: value for name, value in header.items() if name != 'alg'})}.{claims}.{signature}"


def with_alg_none(build, *, signed):
    header, claims, signature = take_apart(build())
    return f"{b64({**header, 'alg': 'none'})}.{claims}.{signature if signed else ''}"


def with_bad_signature(build):
    proof = build()
    return proof[:-10] + ("A" if proof[-10] != "A" else "B") + proof[-9:]


def with_private_key(build, key):
    private = {name: value for name, value in key.as_jwk().items() if name not in ("alg", "kid")}
    return build(header={"jwk": private})


def wrong_proofs(build, key):
    """Proofs with one thing wrong, each with the cause it is refused for, and what the reason begins with."""
    yield [build(), build()], "proof_repeated", ""
    yield "not a JWT", "proof_malformed", ""
    yield build(header={"typ": None}), "proof_typ", "proof: typ None is not dpop+jwt"
    yield (
        build(header={"typ": "dpop+jwt+wrongyousee"}),
        "proof_typ",
        "proof: typ 'dpop+jwt+wrongyousee' is not dpop+jwt",
    )
    yield without_alg(build), "proof_alg_missing", ""
    yield with_alg_none(build, signed=False), "proof_malformed", ""
    yield with_alg_none(build, signed=True), "proof_alg", "proof: alg 'none' is not accepted"
    yield build(header={"jwk": None}), "proof_jwk_not_object", ""
    yield from ((build(**{name: None}), f"proof_{name}_missing", "") for name in ("jti", "htm", "htu", "iat", "ath"))
    yield with_bad_signature(build), "proof_signature", ""
    yield with_private_key(build, key), "proof_jwk_private", ""
    yield build(htm="PUT"), "proof_htm", "proof: htm 'PUT' is not 'GET'"
    yield build(htu=f"{ISSUER}/other"), "proof_htu", f"proof: htu '{ISSUER}/other' is not"
    yield build(htu="https://evil.example/accounts"), "proof_htu", "proof: htu 'https://evil.example/accounts' is not"
    yield build(ath=access_token_hash("another")), "proof_ath", ""
    yield None, "proof_missing", ""


def assert_unauthorized(answer, refusals, cause, *, says=""):
    assert answer.status_code in (400, 401), (cause, answer.text)
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")
    assert causes(refusals) == [cause], refusals
    assert refusals.pop().startswith(says)


def test_dpop_negative_tests_that_fail(caller, refusals):
    for proof, cause, says in wrong_proofs(caller.build, caller.client.proof_key):
        assert_unauthorized(caller.send(proof), refusals, cause, says=says)
    check_accounts(caller.send(caller.build()))


def test_dpop_negative_tests_with_another_key(caller, other_key, refusals):
    answer = caller.send(caller.build(key=other_key))

    assert_unauthorized(answer, refusals, "proof_key_mismatch")


def test_dpop_negative_tests_with_rs256(caller, keys, refusals):
    key = jose.import_private_key(keys("PS256", "suite proof 3").as_jwk(), alg="RS256")

    assert_unauthorized(
        caller.send(caller.build(key=key)), refusals, "proof_alg", says="proof: alg 'RS256' is not accepted"
    )


@pytest.mark.parametrize("with_proof", [False, True])
def test_dpop_negative_tests_under_the_bearer_scheme(with_proof, caller, refusals):
    answer = caller.send(caller.build() if with_proof else None, scheme="Bearer")

    assert_unauthorized(answer, refusals, "token_bound_as_bearer")


@pytest.mark.parametrize(
    ("offset", "cause", "says"),
    [
        (-3600, "proof_expired", "proof: iat is 3600 s ago, and a proof is good for 60 s"),
        (3600, "proof_not_yet_valid", "proof: iat is in the future, 3600 s ahead"),
    ],
)
def test_dpop_negative_tests_with_an_hour_between_the_clocks(offset, cause, says, caller, clock, nonces, refusals):
    answer = caller.send(caller.build(iat=clock.now + offset))

    if nonces:  # they tell the age; the client's clock may be wrong
        check_accounts(answer)
    else:
        assert_unauthorized(answer, refusals, cause, says=says)


def test_dpop_negative_tests_with_a_jti_again(caller, clock, refusals):
    jti = secrets.token_hex(10)
    check_accounts(caller.send(caller.build(jti=jti)))
    clock.move(1)

    assert_unauthorized(caller.send(caller.build(jti=jti)), refusals, "proof_replayed")
