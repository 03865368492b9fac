"""Pushed authorization requests."""

import pytest

from tests.openid_suite.relying_party import ISSUER, PAR, TOKEN, Browser, check_pushed, check_token
from tests.openid_suite.variants import BOTH_ALGS, assert_page, assert_refused
from tests.refusals import causes

UNAUTHENTICATED = ("invalid_client", "invalid_request")


# --- the request_uri ----------------------------------------------------------------------------------------------
def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(client):
    query = client.query(client.push())
    client.browser.http.get(f"/oauth2/authorize?{query}")

    answer = client.browser.finish(query)

    check_token(client.redeem(client.read(answer, state=client.state)["code"]))


def test_par_attempt_reuse_request_uri(app, client, refusals):
    pushed = client.push()
    client.read(client.authorize(pushed), state=client.state)

    assert_page(client.authorize(pushed), refusals, "request_uri_used")
    refusals.clear()
    assert_page(client.authorize(pushed, browser=Browser(app, "somebody")), refusals, "request_uri_used")


def test_par_attempt_to_use_expired_request_uri(client, clock, refusals):
    pushed = client.push()
    clock.move(pushed.json["expires_in"])

    assert_page(client.authorize(pushed), refusals, "request_uri_expired")


def test_par_attempt_to_use_request_uri_for_different_client(client, client2, refusals):
    pushed = client.push()

    assert_page(client2.authorize(pushed), refusals, "request_uri_foreign")
    client.read(client.authorize(pushed), state=client.state)


def test_par_without_duplicate_parameters(client):
    answer = client.authorize(client.push(), duplicates={})

    check_token(client.redeem(client.read(answer, state=client.state)["code"]))


@pytest.mark.parametrize("signed", [False], ids=["unsigned"])  # signed, the form holds nothing but the object
def test_par_authorization_request_containing_request_uri_form_param(client, refusals):
    request_uri = check_pushed(client.push())

    answer = client.push(request_uri=request_uri)

    assert_refused(answer, refusals, "request_uri_pushed", "invalid_request")


def test_par_attempt_invalid_http_method(app, refusals):
    answer = app.test_client().put(PAR)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert refusals == ["method 'PUT'"]
    assert causes(refusals) == ["method_not_allowed"]


# --- PKCE -----------------------------------------------------------------------------------------------------------
def test_par_ensure_pkce_required(client, refusals):
    answer = client.push(code_challenge=None, code_challenge_method=None)

    assert_refused(answer, refusals, "code_challenge_missing", "invalid_request")


@pytest.mark.parametrize("method", ["plain", None])
def test_par_plain_pkce_rejected(method, client, refusals):
    answer = client.push(code_challenge=client.verifier, code_challenge_method=method)

    assert_refused(
        answer, refusals, "code_challenge_method", "invalid_request", says="code_challenge_method 'plain' is not S256"
    )


# --- the assertion ------------------------------------------------------------------------------------------------
@BOTH_ALGS
def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(client, clock):
    check_pushed(client.push(assertion=client.assertion(iat=clock.now + 8, nbf=clock.now + 8)))


@BOTH_ALGS
def test_par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(client, clock, refusals):
    later = clock.now + 62

    answer = client.push(assertion=client.assertion(iat=later, nbf=later, exp=later + 60))

    assert_refused(
        answer, refusals, "assertion_not_yet_valid", *UNAUTHENTICATED, says="assertion: nbf is in the future"
    )


@BOTH_ALGS
def test_par_test_array_as_audience_fails(client, refusals):
    answer = client.push(assertion=client.assertion(aud=[ISSUER, ISSUER + TOKEN]))

    assert_refused(answer, refusals, "assertion_aud_not_text", *UNAUTHENTICATED)


@BOTH_ALGS
def test_par_test_par_endpoint_url_as_audience_fails(client, refusals):
    answer = client.push(assertion=client.assertion(aud=ISSUER + PAR))

    assert_refused(
        answer, refusals, "assertion_aud", *UNAUTHENTICATED, says=f"assertion: aud '{ISSUER + PAR}' is not ['{ISSUER}']"
    )


@BOTH_ALGS
def test_par_test_token_endpoint_url_as_audience_fails(client, refusals):
    answer = client.push(assertion=client.assertion(aud=ISSUER + TOKEN))

    assert_refused(
        answer,
        refusals,
        "assertion_aud",
        *UNAUTHENTICATED,
        says=f"assertion: aud '{ISSUER + TOKEN}' is not ['{ISSUER}']",
    )
