"""DPoP nonces at the API (RFC 9449 §9)."""

import pytest

from flask_private_key_jwt.dpop.nonce import Nonces
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose.derived import Secrets
from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_PROOF, USE_DPOP_NONCE, challenges

EVERY_FRAMEWORK = True

SECRET = "a secret for tests only, long enough"


@pytest.fixture
def settings():
    return {"OAUTH2_DPOP_NONCE": "required", "SECRET_KEY": SECRET}


@pytest.fixture
def token(build_token, proof_key):
    return build_token(bound_to=proof_key)


@pytest.fixture
def nonce(call, token):
    return call.dpop(token).headers["DPoP-Nonce"]


def check_challenged(answer, refusals, cause, *, says=""):
    assert answer.status_code == 401
    assert answer.json == USE_DPOP_NONCE
    [challenge] = challenges(answer)
    assert challenge.startswith('DPoP error="use_dpop_nonce", error_description="')
    assert 'algs="' in challenge
    [nonce] = answer.headers.getlist("DPoP-Nonce")
    assert nonce.isascii()
    assert not set(nonce) & set(' "\\')
    assert answer.headers["Cache-Control"] == "no-store"
    assert refusals[-1].cause == cause, refusals
    assert says in ("", refusals[-1])


def test_a_proof_without_a_nonce_is_challenged(call, token, refusals):
    check_challenged(call.dpop(token), refusals, "proof_nonce_missing")


def test_a_proof_with_the_nonce_is_accepted(call, token, build_proof, nonce):
    assert call.dpop(token, proof=build_proof(token, nonce=nonce)).status_code == 200


def test_a_foreign_nonce_is_challenged(call, token, build_proof, refusals):
    check_challenged(call.dpop(token, proof=build_proof(token, nonce="foreign")), refusals, "proof_nonce_stale")


def test_a_nonce_serves_many_proofs(call, token, build_proof, nonce):
    statuses = [call.dpop(token, proof=build_proof(token, nonce=nonce)).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]


def test_a_nonce_of_the_window_before_is_accepted(call, token, build_token, build_proof, proof_key, nonce, clock):
    clock.move(300)

    assert call.dpop(token, proof=build_proof(token, nonce=nonce)).status_code == 200


def test_an_old_nonce_is_challenged_with_a_new_one(call, build_token, build_proof, proof_key, nonce, clock, refusals):
    clock.move(600)
    token = build_token(bound_to=proof_key)
    answer = call.dpop(token, proof=build_proof(token, nonce=nonce))

    check_challenged(answer, refusals, "proof_nonce_stale")
    assert answer.headers["DPoP-Nonce"] != nonce


def test_success_hands_out_a_fresh_nonce_that_no_cache_keeps(call, token, build_proof, nonce, clock):
    clock.move(300)
    answer = call.dpop(token, proof=build_proof(token, nonce=nonce))

    [fresh] = answer.headers.getlist("DPoP-Nonce")
    assert fresh != nonce
    assert answer.headers["Cache-Control"] == "no-store"
    assert call.dpop(token, proof=build_proof(token, nonce=fresh)).status_code == 200


def test_a_nonce_of_the_token_server_is_challenged(call, token, build_proof, clock, refusals):
    foreign = Nonces(Secrets((SECRET,)), purpose="as", lifetime=300).issue(now=clock.now)

    check_challenged(call.dpop(token, proof=build_proof(token, nonce=foreign)), refusals, "proof_nonce_stale")


def test_workers_with_the_same_secret_agree(call, token, build_proof, nonce, make_caller, settings):
    other_worker = make_caller(**settings)

    assert other_worker.dpop(token, proof=build_proof(token, nonce=nonce)).status_code == 200


def test_a_fallback_secret_still_counts(call, token, build_proof, nonce, make_caller, settings):
    rotated = {**settings, "SECRET_KEY": "another secret, which is long enough", "SECRET_KEY_FALLBACKS": [SECRET]}

    assert make_caller(**rotated).dpop(token, proof=build_proof(token, nonce=nonce)).status_code == 200


def test_a_challenge_spends_nothing(call, token, build_proof, nonce):
    assert call.dpop(token, proof=build_proof(token, jti="same")).status_code == 401

    assert call.dpop(token, proof=build_proof(token, jti="same", nonce=nonce)).status_code == 200


def test_the_nonce_tells_the_age_and_iat_does_not(call, token, build_proof, nonce, clock):
    assert call.dpop(token, proof=build_proof(token, nonce=nonce, iat=clock.now - 3600)).status_code == 200


def test_a_malformed_proof_without_a_nonce_is_malformed_first(call, token, build_proof, refusals):
    answer = call.dpop(token, proof=build_proof(token, htm="PUT"))

    assert answer.json == INVALID_PROOF
    assert refusals == ["proof: htm 'PUT' is not 'GET'"]
    assert causes(refusals) == ["proof_htm"]


def test_bearer_tokens_need_no_nonce_and_get_none(call):
    answer = call.bearer()

    assert answer.status_code == 200
    assert "DPoP-Nonce" not in answer.headers


def test_without_the_setting_no_nonce_is_handed_out_and_a_foreign_one_ignored(make_caller, token, build_proof):
    answer = make_caller().dpop(token, proof=build_proof(token, nonce="foreign"))

    assert answer.status_code == 200
    assert "DPoP-Nonce" not in answer.headers
    assert "Cache-Control" not in answer.headers


@pytest.mark.parametrize("secret", [None, "short"])
def test_nonces_without_a_secret_are_an_error_at_start(issuer, make_caller, settings, secret):
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        make_caller(**{**settings, "SECRET_KEY": secret})
