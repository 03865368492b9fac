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

    assert_refused(answer, refusals, "the code is another client's", "invalid_grant")
    assert redeemable(client, code)


@NONCES_OR_NOT
def test_attempt_reuse_authorization_code_after_one_second(client, clock, refusals):
    code = client.get_code()
    token = check_token(client.redeem(code))
    check_accounts(client.call(token["access_token"]))
    clock.move(1)

    answer = client.redeem(code)

    assert_refused(answer, refusals, "the code was used before; what came of it is revoked", "invalid_grant")
    assert client.refresh(token["refresh_token"]).json["error"] == "invalid_grant"
    assert client.call(token["access_token"]).status_code == 401
    assert refusals[-1] == "the token was revoked, or its client is removed or disabled"


@pytest.mark.parametrize("seconds", [60, 62])
def test_ensure_token_endpoint_fails_with_expired_auth_code(seconds, client, clock, refusals):
    code = client.get_code()
    clock.move(seconds)

    assert_refused(client.redeem(code), refusals, "the code is expired", "invalid_grant")


def test_ensure_pkce_code_verifier_required(client, refusals):
    code = client.get_code()

    assert_refused(client.redeem(code, code_verifier=None), refusals, "no code_verifier", "invalid_grant")
    assert redeemable(client, code)


def test_incorrect_pkce_code_verifier_rejected(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, code_verifier=client.verifier[::-1])

    assert_refused(answer, refusals, "code_verifier does not fit the code_challenge", "invalid_grant")
    assert redeemable(client, code)


# --- the assertion ----------------------------------------------------------------------------------------------
@BOTH_ALGS
def test_ensure_client_id_in_token_endpoint(client, client2, refusals):
    code = client.get_code()
    forged = client.assertion(iss=client2.client_id, sub=client2.client_id)

    answer = client.redeem(code, assertion=forged, client_id=client2.client_id)

    reason = f"assertion: no key of the client fits kid '{client.key.public.thumbprint}'"
    assert_refused(answer, refusals, reason, "invalid_client", "invalid_grant")
    assert redeemable(client, code)


def test_ensure_signed_client_assertion_with_rs256_fails(client, refusals):
    code = client.get_code()
    rs256 = jose.import_private_key(client.key.as_jwk(), alg="RS256")

    answer = client.redeem(code, assertion=client.assertion(key=rs256))

    assert_refused(answer, refusals, "assertion: alg 'RS256' is not accepted", "invalid_client")
    assert redeemable(client, code)


def test_ensure_client_assertion_in_token_endpoint(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=False, client_id=client.client_id)

    assert_refused(answer, refusals, "no client_assertion", *UNAUTHENTICATED)
    assert redeemable(client, code)


@BOTH_ALGS
def test_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(client, clock, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=client.assertion(exp=clock.now - 300))

    assert_refused(answer, refusals, "assertion: expired", *UNAUTHENTICATED)
    assert redeemable(client, code)


@BOTH_ALGS
def test_ensure_client_assertion_with_wrong_aud_fails(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=client.assertion(aud="https://other.example"))

    assert_refused(answer, refusals, f"assertion: aud 'https://other.example' is not ['{ISSUER}']", *UNAUTHENTICATED)
    assert redeemable(client, code)


@BOTH_ALGS
def test_ensure_client_assertion_with_no_sub_fails(client, refusals):
    code = client.get_code()

    answer = client.redeem(code, assertion=client.assertion(sub=None))

    assert_refused(answer, refusals, "assertion: missing claim 'sub'", *UNAUTHENTICATED)
    assert redeemable(client, code)
