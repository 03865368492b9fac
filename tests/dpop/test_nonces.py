"""Nonces without a store (RFC 9449 §8, §9)."""

import string

import pytest

from flask_private_key_jwt.dpop.nonce import Nonces
from flask_private_key_jwt.errors import InvalidDPoPProof, UseDPoPNonce
from flask_private_key_jwt.jose.derived import Secrets
from tests.conftest import SECRET, START, TOKEN_URL

OTHER = "another secret for tests only, long enough"
NQCHAR = set(string.printable[:95]) - set(' "\\')
WINDOW = START - START % 300


def make(*secrets, purpose="as", lifetime=300):
    return Nonces(Secrets(secrets or (SECRET,)), purpose=purpose, lifetime=lifetime)


# --- the nonce itself -------------------------------------------------------------------------------------
def test_nonce_is_of_the_charset_and_long_enough(nonces):
    nonce = nonces.issue(now=START)

    assert len(nonce) == 32
    assert set(nonce) <= NQCHAR


def test_every_worker_makes_the_same_nonce_and_knows_it():
    assert make().issue(now=START) == make().issue(now=START)
    assert make().find_start(make().issue(now=START), now=START)


def test_nonce_changes_with_the_window(nonces):
    made = {nonces.issue(now=WINDOW + age) for age in (0, 299, 300, 599, 600)}

    assert len(made) == 3


@pytest.mark.parametrize("age", [0, 299, 300, 599])
def test_nonce_is_valid_in_its_window_and_the_next(age, nonces):
    assert nonces.find_start(nonces.issue(now=WINDOW), now=WINDOW + age)


@pytest.mark.parametrize("age", [-1, 600, 10_000])
def test_nonce_is_not_valid_before_or_after(age, nonces):
    assert not nonces.find_start(nonces.issue(now=WINDOW), now=WINDOW + age)


@pytest.mark.parametrize("nonce", ["", "x", "x" * 32, "é", "\ud800", "\x00", "A" * 100_000])
def test_foreign_text_is_not_a_nonce(nonce, nonces):
    assert not nonces.find_start(nonce, now=START)


def test_almost_the_nonce_is_not_one(nonces):
    nonce = nonces.issue(now=START)

    for changed in (nonce[:-1], nonce + "A", nonce + "=", nonce.swapcase(), f" {nonce}"):
        assert not nonces.find_start(changed, now=START)


def test_nonces_of_the_two_servers_never_pass_at_the_other():
    for here, there in (("as", "rs"), ("rs", "as")):
        assert not make(purpose=here).find_start(make(purpose=there).issue(now=START), now=START)


def test_nonce_of_another_secret_is_not_valid(nonces):
    assert not nonces.find_start(make(OTHER).issue(now=START), now=START)


def test_old_secret_stays_valid_and_the_new_one_issues():
    rotated = make(OTHER, SECRET)

    assert rotated.find_start(make(SECRET).issue(now=START), now=START)
    assert rotated.issue(now=START) == make(OTHER).issue(now=START)
    assert not make(OTHER).find_start(make(SECRET).issue(now=START), now=START)


# --- in a proof -------------------------------------------------------------------------------------------
@pytest.fixture
def check(nonces, make_checker):
    checker = make_checker(nonces)
    return lambda proof: checker.check(proof, method="POST", url=TOKEN_URL)


def test_proof_with_the_nonce_is_accepted_many_times(check, build_dpop, nonces):
    for _ in range(3):
        assert check(build_dpop(nonce=nonces.issue(now=START)))


@pytest.mark.parametrize(
    ("nonce", "cause"),
    [
        (None, "proof_nonce_missing"),
        ("", "proof_nonce_stale"),
        ("x" * 32, "proof_nonce_stale"),
    ],
)
def test_proof_without_a_nonce_of_ours_is_told_the_current_one(nonce, cause, check, build_dpop, nonces):
    with pytest.raises(UseDPoPNonce) as refused:
        check(build_dpop(nonce=nonce))

    assert refused.value.cause == cause
    assert refused.value.nonce == nonces.issue(now=START)


@pytest.mark.parametrize("nonce", [5, True, ["n"], {}])
def test_nonce_that_is_not_text_is_an_invalid_proof(nonce, check, build_dpop):
    with pytest.raises(InvalidDPoPProof) as refused:
        check(build_dpop(nonce=nonce))

    assert refused.value.cause == "proof_nonce_not_text"


@pytest.mark.parametrize("change", [{"htm": "GET"}, {"htu": "https://evil.example"}, {"jti": ""}, {"iat": None}])
def test_invalid_proof_without_a_nonce_is_called_invalid(change, check, build_dpop):
    """A client is not asked for a nonce if its proof would be refused with the nonce, too."""
    with pytest.raises(InvalidDPoPProof):
        check(build_dpop(**change))


@pytest.mark.parametrize("age", [-3600, 3600])
def test_nonce_tells_the_age_better_than_the_clock_of_the_client(age, check, build_dpop, nonces):
    assert check(build_dpop(iat=START + age, nonce=nonces.issue(now=START)))


def test_mark_outlives_the_nonce(check, build_dpop, nonces, clock):
    clock.now = WINDOW
    nonce = nonces.issue(now=WINDOW)

    (mark,) = check(build_dpop(nonce=nonce)).marks

    clock.now = mark.until
    with pytest.raises(UseDPoPNonce):
        check(build_dpop(nonce=nonce))


def test_checker_hands_out_nonces_only_where_they_are_required(make_checker, nonces):
    assert make_checker(nonces).new_nonce() == nonces.issue(now=START)
    assert make_checker().new_nonce() is None


def test_the_start_of_a_nonce_is_that_of_its_window(nonces):
    nonce = nonces.issue(now=WINDOW + 7)

    assert nonces.find_start(nonce, now=WINDOW + 8) == WINDOW
    assert nonces.find_start(nonce, now=WINDOW + 300) == WINDOW
