"""jose/unset.py: in JSON that describes keys, null or empty means absent, except where that would protect less."""

import pytest

from flask_private_key_jwt.authorization_server.keys.client_keys import parse_jwks
from flask_private_key_jwt.dpop.proof import ProofChecker
from flask_private_key_jwt.errors import InvalidDPoPProof
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.jose import JoseProblem
from flask_private_key_jwt.jose.unset import is_unset, without_unset
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.conftest import ISSUER, TOKEN_URL
from tests.refusals import causes

DOTNET = {
    **dict.fromkeys(["alg", "d", "dp", "dq", "k", "kid", "p", "q", "qi", "use", "x5t", "x5t#S256", "x5u"]),
    "key_ops": [],
    "oth": [],
    "x5c": [],
}
"""What .NET's JsonWebKey writes of members that nobody set."""


@pytest.mark.parametrize("value", [None, "", [], {}, ()])
def test_null_and_empty_are_unset(value):
    assert is_unset(value)
    assert without_unset({"a": value, "b": 1}) == {"b": 1}


@pytest.mark.parametrize("value", [0, False, 0.0, " ", [None], {"a": None}, "null"])
def test_zero_false_and_anything_with_content_are_values(value):
    assert not is_unset(value)
    assert without_unset({"a": value}) == {"a": value}


def test_a_member_whose_emptiness_means_something_is_kept_and_its_null_is_not():
    assert without_unset({"a": [], "b": None, "c": []}, keep=("a", "b")) == {"a": []}


# --- a client's keys --------------------------------------------------------------------------------------
def test_jwk_with_every_unset_member_written_out_is_a_key(client_key):
    [key] = parse_jwks({"keys": [{**DOTNET, **client_key.public.jwk}]})

    assert key.public.thumbprint == client_key.public.thumbprint
    assert key.public.kid is None
    assert key.public.fits("ES256")
    assert key.certificate is None


@pytest.mark.parametrize("member", sorted(jose.PRIVATE_MEMBERS))
@pytest.mark.parametrize("value", ["", [], None])
def test_private_member_that_is_unset_spoils_nothing(member, value, client_key):
    assert parse_jwks({"keys": [{**client_key.public_jwk(), member: value}]})


@pytest.mark.parametrize("member", sorted(jose.PRIVATE_MEMBERS))
@pytest.mark.parametrize("value", ["AAAA", " ", 0, False, [{}], {"a": 1}])
def test_private_member_that_says_anything_spoils_the_whole_set(member, value, client_key, keys):
    good = keys("ES256", "other").public_jwk()

    with pytest.raises(JoseProblem, match="private or symmetric"):
        parse_jwks({"keys": [good, {**client_key.public_jwk(), member: value}]})


@pytest.mark.parametrize("change", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "ES384"}, {"kty": ""}, {"x": ""}])
def test_member_that_is_set_goes_on_counting(change, client_key):
    assert parse_jwks({"keys": [{**DOTNET, **client_key.public_jwk(), **change}]}) == ()


def test_private_jwk_with_unset_members_is_a_key_to_sign_with(client_key):
    unset = {name: value for name, value in DOTNET.items() if name not in client_key.as_jwk()}

    assert jose.import_private_key({**client_key.as_jwk(), **unset}).public.thumbprint == client_key.public.thumbprint


# --- where absence would protect less -----------------------------------------------------------------------
@pytest.mark.parametrize("member", ["d", "key_ops", "use", "alg", "oth", "k"])
@pytest.mark.parametrize("value", [None, [], ""])
def test_proof_whose_key_writes_out_an_unset_member_is_refused(member, value, build_dpop, proof_key):
    checker = ProofChecker(read({"OAUTH2_ISSUER": ISSUER}, ServerSettings), None, server=ISSUER)
    jwk = {**proof_key.public.jwk, member: value}

    with pytest.raises(InvalidDPoPProof) as refusal:
        checker.check(build_dpop(header={"jwk": jwk}), method="POST", url=TOKEN_URL)
    assert refusal.value.reason.startswith("proof: jwk: ")
    assert checker.check(build_dpop(), method="POST", url=TOKEN_URL).thumbprint == proof_key.public.thumbprint


@pytest.mark.parametrize("claim", ["aud", "iss", "sub", "jti", "exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["", [], {}])
def test_assertion_with_an_empty_claim_is_refused(claim, value, ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(**{claim: value})).status_code == 400
    assert ask_token(assertion=build_assertion()).status_code == 200


@pytest.mark.parametrize("value", [[], ""])
def test_assertion_with_an_empty_crit_is_refused(value, ask_token, build_assertion, refusals):
    assert ask_token(assertion=build_assertion(header={"crit": value})).status_code == 400
    assert causes(refusals) == ["assertion_crit"]
