"""The token endpoint: nonces off and required (RFC 9449 §8)."""

import pytest

from flask_private_key_jwt.dpop.nonce import Nonces
from flask_private_key_jwt.jose.derived import Secrets
from tests.authorization_server.endpoints.answers import assert_refused
from tests.conftest import SECRET

REQUIRED = pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
NO_NONCE = "proof: no nonce"


def nonces_of(purpose):
    return Nonces(Secrets((SECRET,)), purpose=purpose, lifetime=300)


@REQUIRED
def test_proof_without_a_nonce_is_told_one(ask_token, build_dpop, refusals):
    answer = assert_refused(ask_token(proof=build_dpop()), "use_dpop_nonce", refusals, "proof_nonce_missing")

    (nonce,) = answer.headers.getlist("DPoP-Nonce")
    assert len(nonce) == 32
    assert all("!" <= character <= "~" and character not in '"\\' for character in nonce)


@REQUIRED
def test_being_told_a_nonce_spends_nothing(ask_token, build_assertion, build_dpop):
    """After use_dpop_nonce, clients send the same assertion with a new proof; some keep the jti of the proof."""
    assertion = build_assertion()
    nonce = ask_token(assertion=assertion, proof=build_dpop(jti="one")).headers["DPoP-Nonce"]

    answer = ask_token(assertion=assertion, proof=build_dpop(jti="one", nonce=nonce))

    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")


@REQUIRED
def test_after_that_both_are_spent(ask_token, build_assertion, build_dpop, refusals):
    assertion = build_assertion()
    nonce = nonce_from(ask_token, build_dpop)
    refusals.clear()
    assert ask_token(assertion=assertion, proof=build_dpop(nonce=nonce)).status_code == 200

    answer = ask_token(assertion=assertion, proof=build_dpop(nonce=nonce))

    assert_refused(answer, "invalid_client", refusals, "assertion_replayed")


def nonce_from(ask_token, build_dpop):
    return ask_token(proof=build_dpop()).headers["DPoP-Nonce"]


@REQUIRED
def test_nonce_may_be_used_many_times(ask_token, build_dpop):
    nonce = nonce_from(ask_token, build_dpop)

    for _ in range(3):
        assert ask_token(proof=build_dpop(nonce=nonce)).status_code == 200


@REQUIRED
def test_proof_with_a_nonce_is_still_good_once(ask_token, build_dpop, refusals):
    proof = build_dpop(nonce=nonce_from(ask_token, build_dpop))
    refusals.clear()
    assert ask_token(proof=proof).status_code == 200

    assert_refused(ask_token(proof=proof), "invalid_dpop_proof", refusals, "proof_replayed")


@REQUIRED
def test_nonce_stays_valid_for_one_more_window_and_the_answer_brings_the_next(ask_token, build_dpop, clock, refusals):
    clock.now -= clock.now % 300
    nonce = nonce_from(ask_token, build_dpop)
    refusals.clear()

    clock.move(599)
    answer = ask_token(proof=build_dpop(nonce=nonce))
    assert answer.status_code == 200
    assert answer.headers["DPoP-Nonce"] != nonce

    clock.move(1)
    assert_refused(ask_token(proof=build_dpop(nonce=nonce)), "use_dpop_nonce", refusals, "proof_nonce_stale")


@REQUIRED
@pytest.mark.parametrize("nonce", ["", "x", "é", "\ud800", "\x00", "x" * 4000])
def test_nonce_that_is_not_ours_is_refused(nonce, ask_token, build_dpop, refusals):
    answer = assert_refused(ask_token(proof=build_dpop(nonce=nonce)), "use_dpop_nonce", refusals, "proof_nonce_stale")

    assert len(answer.headers["DPoP-Nonce"]) == 32


@REQUIRED
def test_nonce_of_the_api_is_refused(ask_token, build_dpop, clock, refusals):
    """Both servers may have the same secrets, but their nonces have different purposes."""
    assert ask_token(proof=build_dpop(nonce=nonces_of("as").issue(now=clock.now))).status_code == 200

    answer = ask_token(proof=build_dpop(nonce=nonces_of("rs").issue(now=clock.now)))

    assert_refused(answer, "use_dpop_nonce", refusals, "proof_nonce_stale")


@REQUIRED
@pytest.mark.parametrize("nonce", [5, True, ["x"], {}])
def test_nonce_that_is_not_text_is_an_invalid_proof(nonce, ask_token, build_dpop, refusals):
    answer = ask_token(proof=build_dpop(nonce=nonce))

    assert_refused(answer, "invalid_dpop_proof", refusals, "proof_nonce_not_text")


@REQUIRED
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"htm": "GET"}, "proof_htm"),
        ({"htu": "https://evil.example/"}, "proof_htu"),
        ({"header": {"typ": "JWT"}}, "proof_typ"),
        ({"jti": ""}, "proof_jti_malformed"),
    ],
)
def test_invalid_proof_is_called_invalid_rather_than_sent_for_a_nonce(change, cause, ask_token, build_dpop, refusals):
    answer = assert_refused(ask_token(proof=build_dpop(**change)), "invalid_dpop_proof", refusals, cause)

    assert "DPoP-Nonce" not in answer.headers


@REQUIRED
def test_wrong_client_is_not_told_a_nonce(ask_token, build_dpop, build_assertion, refusals):
    answer = ask_token(assertion=build_assertion(aud="https://evil.example"), proof=build_dpop())

    assert_refused(answer, "invalid_client", refusals, "assertion_aud")
    assert "DPoP-Nonce" not in answer.headers


@REQUIRED
def test_bearer_token_needs_no_nonce(ask_token):
    assert ask_token().json["token_type"] == "Bearer"


def test_nonce_that_nobody_asked_for_is_ignored(ask_token, build_dpop, refusals):
    answer = ask_token(proof=build_dpop(nonce="of some other server"))

    assert answer.status_code == 200
    assert "DPoP-Nonce" not in answer.headers
    assert refusals == []


@pytest.mark.parametrize(
    "settings",
    [
        {
            "OAUTH2_DPOP_NONCE": "required",
            "SECRET_KEY": "a new secret for tests, long enough",
            "SECRET_KEY_FALLBACKS": [SECRET],
        }
    ],
)
def test_nonce_made_with_the_previous_secret_is_accepted(ask_token, build_dpop, clock, refusals):
    assert ask_token(proof=build_dpop(nonce=nonces_of("as").issue(now=clock.now))).status_code == 200

    stranger = Nonces(Secrets(("a secret nobody here has, long enough",)), purpose="as", lifetime=300)
    answer = ask_token(proof=build_dpop(nonce=stranger.issue(now=clock.now)))
    assert_refused(answer, "use_dpop_nonce", refusals, "proof_nonce_stale")


@REQUIRED
@pytest.mark.parametrize("sent_at", [0, 299, 300, 599])
def test_proof_with_a_nonce_is_known_until_the_nonce_is_too_old(sent_at, ask_token, build_dpop, clock, refusals):
    """With a nonce the age of iat does not count; the mark stays for as long as the nonce may."""
    start = clock.now
    proof = build_dpop(nonce=nonce_from(ask_token, build_dpop), iat=start - 3600)
    clock.now = start + sent_at
    assert ask_token(proof=proof).status_code == 200
    refusals.clear()

    clock.now = start + 599
    assert_refused(ask_token(proof=proof), "invalid_dpop_proof", refusals, "proof_replayed")
    refusals.clear()
    clock.now = start + 600
    assert_refused(ask_token(proof=proof), "use_dpop_nonce", refusals, "proof_nonce_stale")
