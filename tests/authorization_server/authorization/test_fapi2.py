"""The profile fapi2 from end to end: what every client must do."""

import pytest

from tests.authorization_server.conftest import APP_ID, PAR_URL, answer_in, build_request
from tests.conftest import INVALID_CLIENT, ISSUER, TOKEN_URL
from tests.refusals import causes

pytestmark = pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2", "OAUTH2_REPLAY_STORE": "sql"}])


def test_pushed_request_and_bound_token_go_through(push, browser, redeem, refresh, build_dpop):
    pushed = push(proof=build_dpop(htu=PAR_URL))
    page = browser.sign_in().open({"client_id": APP_ID, "request_uri": pushed.json["request_uri"]})
    answer = browser.decide(page)
    code = answer_in(answer)["code"]

    assert answer.status_code == 303
    assert redeem(code).json["error"] == "invalid_request"
    token = redeem(code, proof=build_dpop())
    assert token.json["token_type"] == "DPoP"
    assert "refresh_token" not in refresh(token.json["refresh_token"], proof=build_dpop()).json


def test_request_in_the_url_is_a_page(browser, webapp, refusals):
    assert browser.sign_in().open(build_request()).status_code == 400
    assert causes(refusals) == ["request_not_pushed"]


@pytest.mark.parametrize("audience", [[ISSUER], [ISSUER, TOKEN_URL], PAR_URL, TOKEN_URL, "https://evil.example"])
def test_audience_of_an_assertion_is_the_issuer_as_a_text(audience, push, build_assertion):
    assert push(assertion=build_assertion(iss=APP_ID, sub=APP_ID, aud=audience)).json == INVALID_CLIENT
    assert push().status_code == 201


@pytest.mark.parametrize(("seconds", "status"), [(8, 201), (62, 400)])
def test_assertion_may_be_from_a_clock_that_is_a_little_ahead(seconds, status, push, build_assertion, clock):
    now = clock.now + seconds
    assertion = build_assertion(iss=APP_ID, sub=APP_ID, iat=now, nbf=now, exp=now + 60)

    assert push(assertion=assertion).status_code == status


def test_metadata_says_so(app, people):
    metadata = app.test_client().get("/.well-known/oauth-authorization-server").json
    algs = ["PS256", "ES256", "EdDSA", "Ed25519"]

    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert metadata["token_endpoint_auth_signing_alg_values_supported"] == algs
    assert metadata["dpop_signing_alg_values_supported"] == algs


def test_assertion_with_rs256_is_refused(push, keys, refusals, build_assertion):
    assertion = build_assertion(iss=APP_ID, sub=APP_ID, key=keys("RS256", "client"))

    assert push(assertion=assertion).json == INVALID_CLIENT
    assert refusals == ["assertion: alg 'RS256' is not accepted"]
    assert causes(refusals) == ["assertion_alg"]
