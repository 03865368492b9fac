"""What a DPoP proof must be: each test has one thing wrong (RFC 9449 §4.3)."""

import pytest

from flask_private_key_jwt.dpop.proof import access_token_hash, build_proof
from flask_private_key_jwt.errors import InvalidDPoPProof
from flask_private_key_jwt.jose import jose, signatures
from tests.conftest import START, TOKEN_URL
from tests.dpop.proofs import assert_refused, b64


def test_valid_proof_names_its_key_and_spends_nothing(check, build_dpop, proof_key):
    proof = build_dpop(jti="one")

    assert check(proof) == check(proof)
    assert check(proof).thumbprint == proof_key.public.thumbprint


def test_mark_is_the_jti_under_the_key_and_outlives_the_proof(check, build_dpop, proof_key, clock):
    (mark,) = check(build_dpop(jti="one")).marks

    assert (mark.purpose, mark.owner, mark.jti) == ("dpop_proof", proof_key.public.thumbprint, "one")
    clock.move(mark.until - START)
    assert_refused(check, build_dpop(jti="one", iat=START), "proof_expired")


# --- form and header --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "proof",
    ["", " ", "x", "a.b", "a.b.c.d", "a.b.c.d.e", "..", "é.é.é", "a.b.c\n", "\x00", "{}", "=.=.=", "a b.c.d", "\ud800"],
)
def test_text_that_is_no_compact_jws_is_refused(proof, check):
    assert_refused(check, proof, "proof_malformed")


def test_two_proofs_joined_by_a_comma_are_refused(check, build_dpop):
    assert_refused(check, f"{build_dpop()},{build_dpop()}", "proof_repeated")


@pytest.mark.parametrize("typ", ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt", "Application/DPoP+jwt"])
def test_media_type_is_compared_without_case_and_prefix(typ, check, build_dpop):
    assert check(build_dpop(header={"typ": typ}))


@pytest.mark.parametrize(
    "typ", [None, "JWT", "at+jwt", "dpop+jwt+wrong", "dpop", "application/application/dpop+jwt", ""]
)
def test_other_media_type_is_refused(typ, check, build_dpop):
    shown = typ if typ is None else typ.lower().removeprefix("application/")

    assert_refused(check, build_dpop(header={"typ": typ}), "proof_typ", says=f"proof: typ {shown!r} is not dpop+jwt")


@pytest.mark.parametrize("name", ["crit", "b64"])
@pytest.mark.parametrize("value", [["b64"], [], True, False, "x", 5])
def test_header_that_must_be_understood_is_refused(name, value, check, build_dpop):
    assert_refused(check, build_dpop(header={name: value}), "proof_crit")


@pytest.mark.parametrize(
    "header", [{"x": 1}, {"kid": "k"}, {"x5u": "https://evil.example"}, {"jku": "https://evil.example"}]
)
def test_other_header_parameters_are_ignored(header, check, build_dpop):
    assert check(build_dpop(header=header))


@pytest.mark.parametrize("header", [{"kid": 5}, {"typ": ["dpop+jwt"]}, {"cty": {}}])
def test_header_parameter_that_is_not_text_is_refused(header, check, build_dpop):
    assert_refused(check, build_dpop(header=header), f"proof_{next(iter(header))}_not_text")


def test_proof_up_to_the_limit_is_accepted(check, build_dpop):
    proof = pad(build_dpop, 8192)

    assert len(proof) > 8188
    assert check(proof)


def test_longer_proof_is_refused(check, build_dpop):
    assert_refused(check, pad(build_dpop, 8200), "proof_too_long", says="proof: longer than 8192 bytes")


def pad(build_dpop, length):
    bare = len(build_dpop(pad=""))
    return build_dpop(pad="x" * ((length - bare) * 3 // 4 - 1))


# --- claims -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat"])
def test_proof_without_a_required_claim_is_refused(claim, check, build_dpop):
    assert_refused(check, build_dpop(**{claim: None}), f"proof_{claim}_missing")


@pytest.mark.parametrize("jti", ["", 5, True, ["x"], {}, "x" * 257])
def test_jti_must_be_a_text_of_bounded_length(jti, check, build_dpop):
    assert_refused(
        check, build_dpop(jti=jti), "proof_jti_malformed", says="proof: jti is not a string of 1 to 256 characters"
    )


@pytest.mark.parametrize("jti", ["x", "x" * 256, " ", "\x00", "é", "\ud800"])
def test_any_other_jti_is_accepted(jti, check, build_dpop):
    assert check(build_dpop(jti=jti)).marks[0].digest()


@pytest.mark.parametrize("htm", ["GET", "post", "POST ", "", 5, ["POST"], True])
def test_other_method_is_refused(htm, check, build_dpop):
    assert_refused(check, build_dpop(htm=htm), "proof_htm", says=f"proof: htm {htm!r} is not 'POST'")


@pytest.mark.parametrize("htu", [5, [TOKEN_URL], {}, True])
def test_htu_that_is_not_text_is_refused(htu, check, build_dpop):
    assert_refused(check, build_dpop(htu=htu), "proof_htu_not_text")


@pytest.mark.parametrize(
    "claims", [{"nbf": START}, {"exp": START + 300}, {"exp": START - 9}, {"nonce": "n"}, {"nonce": 5}, {"ath": "x"}]
)
def test_claims_that_are_not_asked_for_may_be_there(claims, check, build_dpop):
    """A valid nbf or exp, a nonce that is not required, an ath without a token."""
    assert check(build_dpop(**claims))


UNTIMELY = [
    ({"exp": START - 10}, "proof_expired", "proof: expired, 10 s ago"),
    ({"nbf": START + 11}, "proof_not_yet_valid", "proof: nbf is in the future, 11 s ahead"),
    ({"exp": "soon"}, "proof_exp_not_number", "proof: exp is not a number"),
]


@pytest.mark.parametrize(("claims", "cause", "says"), UNTIMELY)
def test_times_that_are_not_asked_for_hold_where_they_are_there(claims, cause, says, check, build_dpop):
    """RFC 7519 §4.1.4, §4.1.5."""
    assert_refused(check, build_dpop(**claims), cause, says=says)


@pytest.mark.parametrize(("claims", "cause", "says"), UNTIMELY)
def test_nonce_makes_up_for_iat_only(claims, cause, says, make_checker, nonces, build_dpop):
    checker, nonce = make_checker(nonces), nonces.issue(now=START)
    assert checker.check(build_dpop(nonce=nonce, iat=START + 3600), method="POST", url=TOKEN_URL)

    with pytest.raises(InvalidDPoPProof) as refused:
        checker.check(build_dpop(nonce=nonce, **claims), method="POST", url=TOKEN_URL)

    assert (refused.value.cause, refused.value.reason) == (cause, says)


# --- age --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("age", [-59.5, -59, -10, 0, 0.5, 8, 10])
def test_iat_within_the_window_is_accepted(age, check, build_dpop):
    assert check(build_dpop(iat=START + age))


@pytest.mark.parametrize("age", [-3600, -61, -60.5, -60, 10.5, 11, 3600, 1e15, -1e15])
def test_iat_outside_the_window_is_refused(age, check, build_dpop):
    assert_refused(check, build_dpop(iat=START + age), "proof_expired" if age < 0 else "proof_not_yet_valid")


@pytest.mark.parametrize("iat", ["now", True, [], {}, str(START)])
def test_iat_that_is_not_a_number_is_refused(iat, check, build_dpop):
    assert_refused(check, build_dpop(iat=iat), "proof_iat_not_number")


@pytest.mark.parametrize(
    ("iat", "cause"),
    [("1e999", "proof_iat_not_number"), ("NaN", "proof_not_json"), ("9" * 300, "proof_iat_not_number")],
)
def test_iat_that_is_no_time_is_refused(iat, cause, check, proof_key):
    head = b64({"typ": "dpop+jwt", "alg": "ES256", "jwk": proof_key.public.jwk})
    claims = f'{{"jti": "x", "htm": "POST", "htu": "{TOKEN_URL}", "iat": {iat}}}'
    signed = f"{head}.{b64(claims.encode())}"
    signature = signatures._ALGORITHMS["ES256"].sign(signed.encode(), proof_key.native)

    assert_refused(check, f"{signed}.{b64(signature)}", cause)


@pytest.mark.parametrize(("lifetime", "skew"), [(10, 0), (300, 60)])
def test_window_is_a_setting(lifetime, skew, make_checker, build_dpop):
    checker = make_checker(DPOP_PROOF_LIFETIME_SECONDS=lifetime, CLOCK_SKEW_SECONDS=skew)

    for age in (-lifetime + 1, skew):
        assert checker.check(build_dpop(iat=START + age), method="POST", url=TOKEN_URL)
    for age in (-lifetime, skew + 1):
        with pytest.raises(InvalidDPoPProof):
            checker.check(build_dpop(iat=START + age), method="POST", url=TOKEN_URL)


# --- the access token, at an API ----------------------------------------------------------------------------
def test_ath_of_the_token_is_accepted(check, build_dpop):
    assert check(build_dpop(ath=access_token_hash("token")), ath=access_token_hash("token"))


@pytest.mark.parametrize(
    ("ath", "cause"),
    [
        (None, "proof_ath_missing"),
        (5, "proof_ath_not_text"),
        ("", "proof_ath_not_text"),
        (access_token_hash("other"), "proof_ath"),
        (access_token_hash("token") + "=", "proof_ath"),
        ("é\ud800", "proof_ath"),
    ],
)
def test_other_ath_is_refused(ath, cause, check, build_dpop):
    assert_refused(check, build_dpop(ath=ath), cause, ath=access_token_hash("token"))


# --- what a client builds -----------------------------------------------------------------------------------
def test_built_proof_is_accepted(check, proof_key):
    proof = build_proof(
        proof_key,
        jti="one",
        method="POST",
        url=f"{TOKEN_URL}?query#fragment",
        now=START,
        access_token="token",
        nonce="n",
    )

    assert check(proof, ath=access_token_hash("token")).thumbprint == proof_key.public.thumbprint
    assert jose.decode_unverified(proof)[1]["htu"] == TOKEN_URL


# --- what a replay store has to know ----------------------------------------------------------------------
@pytest.mark.parametrize("ahead", [-20, 0, 5, 10])
def test_a_proof_says_from_when_on_it_can_have_been_used(check, build_dpop, clock, ahead):
    proof = build_dpop(iat=clock.now + ahead)
    (mark,) = check(proof).marks

    clock.now = mark.used_from
    assert check(proof)
    clock.now -= 1
    with pytest.raises(InvalidDPoPProof) as refused:
        check(proof)
    assert refused.value.cause == "proof_not_yet_valid"
    assert refused.value.reason == "proof: iat is in the future, 11 s ahead"


def test_a_proof_with_a_nonce_was_used_no_earlier_than_that_was_given_out(make_checker, nonces, build_dpop, clock):
    clock.now -= clock.now % nonces.lifetime
    checker = make_checker(nonces)
    nonce = nonces.issue(now=clock.now + 20)

    (mark,) = checker.check(build_dpop(nonce=nonce), method="POST", url=TOKEN_URL).marks

    assert mark.used_from == clock.now - 10
