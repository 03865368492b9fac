"""Request objects at PAR, where requests have to be signed (FAPI 2.0 Message Signing §5.3.1)."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.openid_suite.relying_party import ISSUER, b64, bound_to, check_accounts, check_pushed, check_token
from tests.openid_suite.signing_party import ODD_TYPE
from tests.openid_suite.variants import BOTH_ALGS, NONCES_OR_NOT, assert_refused

pytestmark = pytest.mark.parametrize("signed", [True], ids=["signed"])
MINUTE = 60


# --- accepted ---------------------------------------------------------------------------------------------------
@BOTH_ALGS
@NONCES_OR_NOT
def test_happy_flow_that_is_signed(client, client2, refusals):
    """As the plan runs it: ``dpop_jkt`` in the object, no proof at PAR; client 2 with its odd object."""
    header, claims = jose.decode_unverified(client2.request_object())
    assert header["typ"] == ODD_TYPE
    assert (list(claims)[-1], len(claims["state"]), len(claims["nonce"])) == ("client_id", 128, 43)
    for actor in (client, client2):
        token = actor.get_token(dpop_jkt=actor.proof_key.public.thumbprint)

        assert bound_to(token) == actor.proof_key.public.thumbprint
        assert check_accounts(actor.call(token["access_token"])) == {"subject": actor.browser.person}
    assert refusals == []


@BOTH_ALGS
def test_ensure_request_object_with_multiple_aud_succeeds(client):
    check_token(client.redeem(client.get_code(aud=[ISSUER, "https://other.example"])))


@BOTH_ALGS
def test_ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted(client, clock):
    check_pushed(client.push(nbf=clock.now + 8))


# --- refused ------------------------------------------------------------------------------------------------------
@BOTH_ALGS
def test_ensure_request_object_without_exp_fails(client, refusals):
    assert_refused(client.push(exp=None), refusals, "request_object_exp_missing", "invalid_request_object")


@BOTH_ALGS
def test_ensure_request_object_without_nbf_fails(client, refusals):
    assert_refused(client.push(nbf=None), refusals, "request_object_nbf_missing", "invalid_request_object")


@BOTH_ALGS
def test_ensure_expired_request_object_fails(client, clock, refusals):
    answer = client.push(nbf=clock.now - 10 * MINUTE, exp=clock.now - 5 * MINUTE)

    assert_refused(answer, refusals, "request_object_expired", "invalid_request_object")


@BOTH_ALGS
@pytest.mark.parametrize("aud", ["https://other.example", f"{ISSUER}/", f"{ISSUER}/oauth2/par"])
def test_ensure_request_object_with_bad_aud_fails(aud, client, refusals):
    says = f"request object: aud {aud!r} does not name {ISSUER!r}"

    assert_refused(client.push(aud=aud), refusals, "request_object_aud", "invalid_request_object", says=says)


@BOTH_ALGS
def test_ensure_request_object_with_exp_over_60_fails(client, clock, refusals):
    answer = client.push(exp=clock.now + 70 * MINUTE)

    says = "request object: exp is more than 3600 s after nbf"
    assert_refused(answer, refusals, "request_object_lives_too_long", "invalid_request_object", says=says)


@BOTH_ALGS
@pytest.mark.parametrize(("exp", "cause"), [(5, "request_object_lives_too_long"), (-15, "request_object_expired")])
def test_ensure_request_object_with_nbf_over_60_fails(exp, cause, client, clock, refusals):
    answer = client.push(nbf=clock.now - 70 * MINUTE, exp=clock.now + exp * MINUTE)

    assert_refused(answer, refusals, cause, "invalid_request_object")


def test_ensure_signed_request_object_with_rs256_fails(client, refusals):
    rs256 = jose.import_private_key(client.key.as_jwk(), alg="RS256")

    answer = client.push(key=rs256)

    assert_refused(
        answer,
        refusals,
        "request_object_alg",
        "invalid_request_object",
        says="request object: alg 'RS256' is not accepted",
    )


@pytest.mark.parametrize(("signature", "cause"), [("", "request_object_malformed"), ("eA", "request_object_alg")])
def test_ensure_request_object_signature_algorithm_is_not_none(signature, cause, client, refusals):
    text = f"{b64({'alg': 'none'})}.{client.request_object().split('.')[1]}.{signature}"

    assert_refused(client.push(text=text), refusals, cause, "invalid_request_object")


@BOTH_ALGS
def test_ensure_request_object_with_invalid_signature_fails(client, refusals):
    head, payload, _ = client.request_object().split(".")
    signature = client.request_object(state="another").split(".")[2]

    answer = client.push(text=f"{head}.{payload}.{signature}")

    assert_refused(answer, refusals, "request_object_signature", "invalid_request_object")


@BOTH_ALGS
@pytest.mark.parametrize("named", ["own", "other"])
def test_ensure_matching_key_in_authorization_request(named, client, client2, refusals):
    kid = {"own": client.key.public.thumbprint, "other": client2.key.public.thumbprint}[named]
    kinds = {"own": "request_object_signature", "other": "request_object_no_key"}

    answer = client.push(key=client2.key, header={"kid": kid})

    errors = ("invalid_request", "invalid_request_object")
    assert_refused(answer, refusals, kinds[named], *errors)


def test_ensure_unsigned_request_at_par_endpoint_fails(client, refusals):
    assert_refused(client.push_unsigned(), refusals, "request_not_signed", "invalid_request")
    check_pushed(client.push())


@BOTH_ALGS
def test_par_authorization_request_containing_request_uri(client, refusals):
    request_uri = check_pushed(client.push())

    answer = client.push(request_uri=request_uri)

    assert_refused(
        answer, refusals, "request_object_nested", "invalid_request_object", says="request object: holds 'request_uri'"
    )
