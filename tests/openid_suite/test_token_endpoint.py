"""Codes and client assertions at the token endpoint."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.openid_suite.relying_party import ISSUER, check_accounts, check_token
from tests.openid_suite.variants import BOTH_ALGS, NONCES_OR_NOT, assert_refused

UNAUTHENTICATED = ("invalid_client", "invalid_request")


def redeemable(client, code):
    """Nothing was spent: the code still works for its client."""
    return check_token(client.redeem(code))


# --- the code -------------------------------------------------------------------------------------------------
def test_ensure_authorization_code_is_bound_to_client(client, client2, refusals):
    code = client.get_code()

    changes = {"redirect_uri": client.redirect_uri, "code_verifier": client.verifier}
    answer = client2.redeem(code, **changes)

    assert_refused(answer, refusals, "code_foreign", "invalid_grant")
    assert redeemable(client, code)


@NONCES_OR_NOT
def test_attempt_reuse_authorization_code_after_one_second(client, clock, refusals):
    code = client.get_code()
    token = check_token(client.redeem(code))
    check_accounts(client.call(token["access_token"]))
    clock.move(1)

    answer = client.redeem(code)

    assert_refused(answer, refusals, "code_used", "invalid_grant")
    assert client.refresh(token["refresh_token"]).json["error"] == "invalid_grant"
    assert client.call(token["access_token"]).status_code == 401
    assert refusals[-1].cause == "token_revoked"


@pytest.mark.parametrize("seconds", [60, 62])
def test_ensure_token_endpoint_fails_with_expired_auth_code(seconds, client, clock, refusals):
    code = client.get_code()
    clock.move(seconds)

    assert_refused(client.redeem(code), refusals, "code_expired", "invalid_grant")


def test_ensure_pkce_code_verifier_required(client, refusals):
    code = client.get_code()

    assert_refused(client.redeem(code, code_verifier=None), refusals, "code_verifier_missing", "invalid_grant")
    assert redeemable(client, code)


def test_incorrect_pkce_code_verifier_rejected(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, code_verifier=client.verifier[::-1])

    assert_refused(answer, refusals, "code_verifier_mismatch", "invalid_grant")
    assert redeemable(client, code)


# --- the assertion ----------------------------------------------------------------------------------------------
@BOTH_ALGS
def test_ensure_client_id_in_token_endpoint(client, client2, refusals):
    code = client.get_code()
    forged = client.assertion(iss=client2.client_id, sub=client2.client_id)

    answer = client.redeem(code, assertion=forged, client_id=client2.client_id)

    says = f"assertion: no key of the client fits kid '{client.key.public.thumbprint}'"
    assert_refused(answer, refusals, "assertion_no_key", "invalid_client", "invalid_grant", says=says)
    assert redeemable(client, code)


def test_ensure_signed_client_assertion_with_rs256_fails(client, refusals):
    code = client.get_code()
    rs256 = jose.import_private_key(client.key.as_jwk(), alg="RS256")

    answer = client.redeem(code, assertion=client.assertion(key=rs256))

    assert_refused(answer, refusals, "assertion_alg", "invalid_client", says="assertion: alg 'RS256' is not accepted")
    assert redeemable(client, code)


def test_ensure_client_assertion_in_token_endpoint(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=False, client_id=client.client_id)

    assert_refused(answer, refusals, "assertion_missing", *UNAUTHENTICATED)
    assert redeemable(client, code)


@BOTH_ALGS
def test_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(client, clock, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=client.assertion(exp=clock.now - 300))

    assert_refused(answer, refusals, "assertion_expired", *UNAUTHENTICATED)
    assert redeemable(client, code)


@BOTH_ALGS
def test_ensure_client_assertion_with_wrong_aud_fails(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=client.assertion(aud="https://other.example"))

    assert_refused(
        answer,
        refusals,
        "assertion_aud",
        *UNAUTHENTICATED,
        says=f"assertion: aud 'https://other.example' is not ['{ISSUER}']",
    )
    assert redeemable(client, code)


@BOTH_ALGS
def test_ensure_client_assertion_with_no_sub_fails(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=client.assertion(sub=None))

    assert_refused(answer, refusals, "assertion_sub_missing", *UNAUTHENTICATED)
    assert redeemable(client, code)
