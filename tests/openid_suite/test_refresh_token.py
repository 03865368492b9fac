"""Module refresh-token; its steps are parts of one name."""

from tests.openid_suite.relying_party import (
    NO_PROOF,
    OPENID_SCOPE,
    bound_to,
    check_accounts,
    check_id_token,
    check_token,
)
from tests.openid_suite.variants import BOTH_ALGS, NONCES_OR_NOT, assert_refused

pytestmark = [BOTH_ALGS, NONCES_OR_NOT]
NO_AUTHENTICATION = ("invalid_client", "invalid_request", "invalid_grant")


def test_refresh_token(client, other_key):
    token = client.get_token()
    client.nonces.clear()  # so that the nonce is asked for anew, and the same assertion comes twice

    again = check_token(client.refresh(token["refresh_token"], proof_key=other_key))

    assert bound_to(again) == other_key.public.thumbprint
    assert again["access_token"] != token["access_token"]
    check_accounts(client.call(again["access_token"], proof_key=other_key))


def test_refresh_token_brings_an_id_token_of_the_same_sign_in(client, clock):
    token = client.get_token(scope=OPENID_SCOPE, nonce="n")
    first = check_id_token(client, token, nonce="n")
    clock.move(5)

    again = check_token(client.refresh(token["refresh_token"]))

    claims = check_id_token(client, again)
    assert {name: claims[name] for name in ("iss", "sub", "aud", "auth_time")} == {
        name: first[name] for name in ("iss", "sub", "aud", "auth_time")
    }
    assert claims["iat"] == first["iat"] + 5


def test_refresh_token_still_works_30_seconds_later(client, clock):
    token = client.get_token()
    check_token(client.refresh(token["refresh_token"]))
    clock.move(30)

    check_token(client.refresh(token["refresh_token"]))


def test_refresh_token_without_client_authentication(client, refusals):
    token = client.get_token()

    answer = client.refresh(token["refresh_token"], assertion=False, client_id=client.client_id)

    assert_refused(answer, refusals, "assertion_missing", *NO_AUTHENTICATION)


def test_refresh_token_without_a_proof(client, refusals):
    token = client.get_token()

    answer = client.refresh(token["refresh_token"], proof=NO_PROOF)

    assert_refused(answer, refusals, "proof_missing", "invalid_request", "invalid_grant", "invalid_dpop_proof")


def test_refresh_token_of_another_client(client, client2, refusals):
    token = client2.get_token()

    answer = client.refresh(token["refresh_token"])

    assert_refused(answer, refusals, "refresh_token_foreign", "invalid_grant")
    check_token(client2.refresh(token["refresh_token"]))
