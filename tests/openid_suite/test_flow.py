"""The flow as it should be, and as the person may end it."""

import secrets
from urllib.parse import urlencode

import pytest

from tests.openid_suite.relying_party import (
    OPENID_SCOPE,
    USERINFO,
    bound_to,
    check_accounts,
    check_id_token,
    check_token,
)
from tests.openid_suite.variants import BOTH_ALGS, NONCES_OR_NOT, OPENID_OR_NOT, assert_page
from tests.refusals import causes


@BOTH_ALGS
@NONCES_OR_NOT
@OPENID_OR_NOT
def test_happy_flow(scope, client, client2, refusals):
    for actor in (client, client2):
        nonce = secrets.token_urlsafe(32) if scope == OPENID_SCOPE else None
        token = actor.get_token(dpop_jkt=actor.proof_key.public.thumbprint, scope=scope, nonce=nonce)
        if nonce:
            assert check_id_token(actor, token, nonce=nonce)["sub"] == actor.browser.person
            assert actor.call(token["access_token"], path=USERINFO).json == {"sub": actor.browser.person}
        assert bound_to(token) == actor.proof_key.public.thumbprint
        assert check_accounts(actor.call(token["access_token"])) == {"subject": actor.browser.person}
        for accept in ("application/json", "application/json;charset=utf-8", "*/*", "text/plain, application/json"):
            check_accounts(actor.call(token["access_token"], headers={"Accept": accept}))
        in_query = actor.call_raw({}, query={"access_token": token["access_token"]})
        assert in_query.status_code == 401

    assert causes(refusals) == ["token_missing"] * 2
    stolen = client2.call(token["access_token"], proof_key=client.proof_key)
    assert stolen.status_code == 401
    assert causes(refusals[2:]) == ["proof_key_mismatch"]


def test_user_rejects_authentication(client, client2, refusals):
    for actor in (client, client2):
        denied = actor.authorize(actor.push(), decision="deny")

        assert actor.read_error(denied, state=actor.state) == "access_denied"
    assert causes(refusals) == ["person_refused"] * 2


def test_ensure_authorization_request_without_state_success(client):
    check_token(client.redeem(client.get_code(state=None)))


@pytest.mark.parametrize("scope", ["balances accounts", "balances accounts openid"])
def test_ensure_other_scope_order_succeeds(scope, client):
    token = client.get_token(scope=scope)

    check_accounts(client.call(token["access_token"]))


@pytest.mark.parametrize("nonce", [None, ""])
def test_ensure_authorization_request_without_nonce_success(nonce, client):
    check_id_token(client, client.get_token(scope=OPENID_SCOPE, nonce=nonce))


def test_ensure_authorization_request_with_64_char_nonce_success(client):
    nonce = secrets.token_hex(32)

    check_id_token(client, client.get_token(scope=OPENID_SCOPE, nonce=nonce), nonce=nonce)


def test_ensure_authorization_request_with_long_nonce(client):
    nonce = secrets.token_hex(192)

    check_id_token(client, client.get_token(scope=OPENID_SCOPE, nonce=nonce), nonce=nonce)


def test_ensure_different_nonce_inside_and_outside_request_object(client):
    outside = client.request(client_id=None, scope=OPENID_SCOPE, nonce="outside")

    answer = client.authorize(client.push(scope=OPENID_SCOPE, nonce="inside"), duplicates=outside)

    token = check_token(client.redeem(client.read(answer, state=client.state)["code"]))
    check_id_token(client, token, nonce="inside")


def test_ensure_authorization_request_with_long_state(client):
    check_token(client.redeem(client.get_code(state="s" * 1000)))


def test_ensure_different_state_inside_and_outside_request_object(client):
    outside = client.request(client_id=None, state="outside")

    answer = client.authorize(client.push(state="inside"), duplicates=outside)

    check_token(client.redeem(client.read(answer, state="inside")["code"]))


def test_state_only_outside_request_object_not_used(client):
    outside = client.request(client_id=None, state="outside")

    answer = client.authorize(client.push(state=None), duplicates=outside)

    check_token(client.redeem(client.read(answer, state=None)["code"]))


def test_ensure_unsigned_authorization_request_without_using_par_fails(client, refusals):
    answer = client.browser.finish(urlencode(client.request()))

    assert_page(answer, refusals, "request_not_pushed")
