"""The key of a DPoP proof and its signature: each test has one thing wrong (RFC 9449 §4.3, items 5 to 7)."""

import pytest

from flask_private_key_jwt.errors import InvalidDPoPProof
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.conftest import START, TOKEN_URL
from tests.dpop.proofs import assert_refused, b64


@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_every_algorithm_is_accepted(alg, check, build_dpop, keys):
    assert check(build_dpop(key=keys(alg))).thumbprint == keys(alg).public.thumbprint


@pytest.mark.parametrize("alg", ["PS256", "RS512"])
def test_proof_with_an_rsa_key_of_4096_bits_is_accepted(alg, check, build_dpop, rsa_4096):
    key = jose.import_private_key(rsa_4096.as_jwk(), alg=alg)

    assert check(build_dpop(key=key)).thumbprint == rsa_4096.public.thumbprint


@pytest.fixture(scope="session")
def rsa_4096(keys):
    return keys("PS256", "4096 bits", rsa_bits=4096)


def test_rsa_key_that_is_too_small_is_refused(check, build_dpop):
    jwk = {"kty": "RSA", "n": b64(b"\xff" * 128), "e": "AQAB"}

    assert_refused(
        check,
        build_dpop(header={"jwk": jwk, "alg": "RS256"}),
        "proof_jwk_rsa_size",
        says="proof: jwk: the RSA key is not 2048 to 8192",
    )


@pytest.mark.parametrize("size", [1025, 4000])
def test_rsa_key_that_is_too_large_is_refused_before_it_is_used(size, make_checker, build_dpop):
    jwk = {"kty": "RSA", "n": b64(b"\xff" * size), "e": "AQAB"}
    checker = make_checker(DPOP_PROOF_MAX_BYTES=65536)

    with pytest.raises(InvalidDPoPProof) as refused:
        checker.check(build_dpop(header={"jwk": jwk, "alg": "RS256"}), method="POST", url=TOKEN_URL)
    assert refused.value.cause == "proof_jwk_rsa_size"
    assert refused.value.reason.startswith("proof: jwk: the RSA key is not 2048 to 8192")


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256K", "RSA-OAEP", "", "es256", "ES256\n"])
def test_algorithm_that_is_not_listed_is_refused(alg, check, build_dpop):
    assert_refused(check, build_dpop(header={"alg": alg}), "proof_alg", says=f"proof: alg {alg!r} is not accepted")


def test_algorithm_that_the_server_narrows_out_is_refused(make_checker, build_dpop):
    checker = make_checker(DPOP_SIGNING_ALGS=("PS256",))

    with pytest.raises(InvalidDPoPProof) as refused:
        checker.check(build_dpop(), method="POST", url=TOKEN_URL)
    assert refused.value.cause == "proof_alg"
    assert refused.value.reason == "proof: alg 'ES256' is not accepted"


@pytest.mark.parametrize("alg", ["ES384", "ES512", "PS256", "EdDSA"])
def test_algorithm_that_does_not_fit_the_key_is_refused(alg, check, build_dpop):
    assert_refused(
        check, build_dpop(header={"alg": alg}), "proof_jwk_alg", says=f"proof: jwk: alg {alg!r} does not fit the key"
    )


@pytest.mark.parametrize("alg", [None, 5, True, ["ES256"], {}, [[]]])
def test_alg_that_is_not_text_is_refused(alg, check, build_dpop):
    proof = build_dpop()
    header = {**jose.parse(proof, max_bytes=8192).header, "alg": alg}
    if alg is None:
        del header["alg"]

    assert_refused(check, replace_header(proof, header), "proof_alg_missing")


def replace_header(proof, header):
    return ".".join([b64(header), *proof.split(".")[1:]])


@pytest.mark.parametrize(
    ("jwk", "cause"),
    [
        (None, "proof_jwk_not_object"),
        ("x", "proof_jwk_not_object"),
        (5, "proof_jwk_not_object"),
        ([], "proof_jwk_not_object"),
        (["kty"], "proof_jwk_not_object"),
        ({}, "proof_jwk_kty"),
        ({"kty": None}, "proof_jwk_kty"),
        ({"kty": ["EC"]}, "proof_jwk_kty"),
        ({"kty": "oct", "k": "AA"}, "proof_jwk_private"),
    ],
)
def test_header_without_a_public_key_is_refused(jwk, cause, check, build_dpop):
    assert_refused(check, build_dpop(header={"jwk": jwk}), cause)


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
def test_private_key_in_the_header_is_refused(alg, check, build_dpop, keys):
    private = keys(alg).as_jwk()

    assert_refused(
        check,
        build_dpop(key=keys(alg), header={"jwk": private}),
        "proof_jwk_private",
        says="proof: jwk: the key holds private members ['d'",
    )


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_each_private_member_is_refused(member, check, build_dpop, proof_key):
    jwk = {**proof_key.public.jwk, member: "AQAB"}

    assert_refused(
        check,
        build_dpop(header={"jwk": jwk}),
        "proof_jwk_private",
        says=f"proof: jwk: the key holds private members [{member!r}]",
    )


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"x": "AA"}, "proof_jwk_not_importable"),
        ({"x": ""}, "proof_jwk_not_importable"),
        ({"x": None}, "proof_jwk_x_missing"),
        ({"x": 5}, "proof_jwk_x_missing"),
        ({"crv": "P-384"}, "proof_jwk_not_importable"),
        ({"crv": "secp256k1"}, "proof_jwk_not_importable"),
        ({"crv": "P-256 "}, "proof_jwk_not_importable"),
        ({"kty": "OKP"}, "proof_jwk_not_importable"),
    ],
)
def test_malformed_key_is_refused(change, cause, check, build_dpop, proof_key):
    jwk = {name: value for name, value in {**proof_key.public.jwk, **change}.items() if value is not None}

    assert_refused(check, build_dpop(header={"jwk": jwk}), cause)


def test_point_off_the_curve_is_refused(check, build_dpop, proof_key):
    jwk = {**proof_key.public.jwk, "y": b64(b"\x01" * 32)}

    assert_refused(
        check,
        build_dpop(header={"jwk": jwk}),
        "proof_jwk_not_importable",
        says="proof: jwk: the EC key cannot be imported",
    )


@pytest.mark.parametrize(
    ("extra", "cause"),
    [
        ({"use": "enc"}, "proof_jwk_use"),
        ({"key_ops": ["sign"]}, "proof_jwk_key_ops"),
        ({"alg": "ES384"}, "proof_jwk_no_alg"),
        ({"kid": 5}, "proof_jwk_kid_missing"),
        ({"use": 5}, "proof_jwk_use_missing"),
    ],
)
def test_key_that_is_not_for_this_is_refused(extra, cause, check, build_dpop, proof_key):
    assert_refused(check, build_dpop(header={"jwk": {**proof_key.public.jwk, **extra}}), cause)


def test_further_public_members_do_not_change_the_thumbprint(check, build_dpop, proof_key):
    jwk = {
        **proof_key.public.jwk,
        "kid": "k",
        "use": "sig",
        "alg": "ES256",
        "key_ops": ["verify"],
        "x5t": "x",
        "new": 1,
    }

    assert check(build_dpop(header={"jwk": jwk})).thumbprint == proof_key.public.thumbprint


def test_signature_of_another_key_is_refused(check, build_dpop, keys, proof_key):
    proof = build_dpop(key=keys("ES256", "other"), header={"jwk": proof_key.public.jwk})

    assert_refused(check, proof, "proof_signature")


@pytest.mark.parametrize("signature", ["AA", b64(b"\x00" * 64), b64(b"\xff" * 64), b64(b"\x01" * 65)])
def test_other_signature_is_refused(signature, check, build_dpop):
    proof = ".".join([*build_dpop().split(".")[:2], signature])

    assert_refused(check, proof, "proof_signature")


def test_changed_claims_are_refused(check, build_dpop):
    head, _, signature = build_dpop().split(".")
    claims = {"jti": "x", "htm": "POST", "htu": TOKEN_URL, "iat": START}

    assert_refused(check, f"{head}.{b64(claims)}.{signature}", "proof_signature")


def test_known_header_with_a_signature_of_another_key_is_refused(check, build_dpop, keys, proof_key):
    """The header names the key and is remembered with it: what is remembered must never stand for a signature."""
    check(build_dpop())

    forged = build_dpop(key=keys("ES256", "other"), header={"jwk": proof_key.public.jwk})
    assert forged.split(".")[0] == build_dpop().split(".")[0]
    assert_refused(check, forged, "proof_signature")
    assert check(build_dpop()).thumbprint == proof_key.public.thumbprint


def test_two_headers_of_two_keys_stay_apart(check, build_dpop, keys):
    names = ["a", "b", "a", "b"]

    thumbprints = [check(build_dpop(key=keys("ES256", name))).thumbprint for name in names]

    assert thumbprints == [keys("ES256", name).public.thumbprint for name in names]


def test_refused_header_is_refused_again(check, build_dpop):
    proof = build_dpop(header={"jwk": {"kty": "EC"}})

    for _ in range(2):
        assert_refused(check, proof, "proof_jwk_crv_missing")
