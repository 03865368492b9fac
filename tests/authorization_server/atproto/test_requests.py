"""Authorization requests under the profile: pushed, with a proof and a nonce, with state and the scope atproto."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.authorization_server.atproto.conftest import ALICE, BOB, CLIENT
from tests.authorization_server.conftest import PAR_URL, build_request, challenge_of
from tests.conftest import INVALID_CLIENT, INVALID_PROOF, INVALID_REQUEST, TOKEN_URL
from tests.refusals import causes

INVALID_SCOPE = {"error": "invalid_scope", "error_description": "The requested scope is invalid."}


def assert_refused(answer, refusals, cause, *, error=INVALID_REQUEST):
    assert (answer.status_code, answer.json) == (400, error)
    assert causes(refusals) == [cause], refusals


# --- what is pushed ----------------------------------------------------------------------------------------------
def test_request_that_is_not_pushed_is_refused(client, browser, refusals):
    browser.sign_in(ALICE)
    answer = browser.open(build_request(client_id=CLIENT, redirect_uri=client.callback, scope="atproto"))

    assert answer.status_code == 400
    assert causes(refusals) == ["request_not_pushed"]


@pytest.mark.parametrize("state", [None, ""])
def test_request_without_state_is_refused(client, refusals, state):
    assert_refused(client.push(state=state), refusals, "state_missing")


@pytest.mark.parametrize("scope", [None, "", "transition:generic"])
def test_request_without_the_scope_atproto_is_refused_and_no_default_stands_in(client, refusals, scope):
    assert_refused(client.push(scope=scope), refusals, "scope_without_atproto", error=INVALID_SCOPE)


@pytest.mark.parametrize("scope", ["atproto openid", "atproto transition:email", "atproto ATPROTO"])
def test_scope_that_the_document_or_the_server_does_not_name_is_refused(client, refusals, scope):
    assert_refused(client.push(scope=scope), refusals, "scope_not_registered", error=INVALID_SCOPE)


def test_scope_atproto_alone_is_enough(client):
    assert client.sign_in(scope="atproto")["scope"] == "atproto"


def test_redirect_uri_of_another_site_is_refused(client, refusals):
    assert_refused(client.push(redirect_uri="https://evil.example/"), refusals, "redirect_uri_not_registered")


def test_code_challenge_counts_once_in_a_day(client, refusals, clock):
    challenge = challenge_of("w" * 43)
    assert client.push(code_challenge=challenge).status_code == 201
    clock.move(86399)
    assert_refused(client.push(code_challenge=challenge), refusals, "code_challenge_reused")
    clock.move(2)

    assert client.push(code_challenge=challenge).status_code == 201


def test_refused_request_does_not_use_its_code_challenge_up(client):
    challenge = challenge_of("w" * 43)
    assert client.push(code_challenge=challenge, state=None).status_code == 400

    assert client.push(code_challenge=challenge).status_code == 201


# --- proofs and nonces -------------------------------------------------------------------------------------------
def test_pushed_request_without_a_proof_is_refused(client, refusals):
    assert_refused(client.push(proof=False), refusals, "proof_missing")
    assert_refused(client.push(proof=False, dpop_jkt="x" * 43), refusals[1:], "proof_missing")


def test_pushed_request_without_a_nonce_is_told_one(client, refusals):
    answer = client.push(proof=client.prove(PAR_URL, nonce=None))

    assert (answer.status_code, answer.json["error"]) == (400, "use_dpop_nonce")
    assert causes(refusals) == ["proof_nonce_missing"]
    assert client.push(proof=client.prove(PAR_URL, nonce=answer.headers["DPoP-Nonce"])).status_code == 201


def test_every_answer_hands_out_a_nonce(client):
    pushed = client.push()
    code = client.answer_of(client.open_as(ALICE, pushed))["code"]

    assert pushed.headers["DPoP-Nonce"]
    assert client.redeem(code).headers["DPoP-Nonce"]


def test_nonce_is_too_old_after_300_seconds(client, refusals, clock):
    nonce = client.server.dpop.new_nonce()
    clock.move(300)
    answer = client.push(proof=client.prove(PAR_URL, nonce=nonce))

    assert answer.json["error"] == "use_dpop_nonce"
    assert causes(refusals) == ["proof_nonce_stale"]


def test_token_request_without_a_proof_or_a_nonce_is_refused_and_spends_nothing(client, refusals):
    code = client.get_code()
    assert_refused(client.redeem(code, proof=False), refusals, "proof_missing")
    answer = client.redeem(code, proof=client.prove(TOKEN_URL, nonce=None))

    assert answer.json["error"] == "use_dpop_nonce"
    assert client.redeem(code).status_code == 200


def test_proof_is_used_once(client, refusals):
    proof = client.prove(PAR_URL)
    assert client.push(proof=proof).status_code == 201

    assert_refused(client.push(proof=proof), refusals, "proof_replayed", error=INVALID_PROOF)


# --- client authentication ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"iat": None}, "assertion_iat_missing"),
        ({"jti": None}, "assertion_jti_missing"),
        ({"aud": PAR_URL}, "assertion_aud"),
        ({"aud": TOKEN_URL}, "assertion_aud"),
    ],
)
def test_assertion_is_for_the_issuer_and_says_when_it_was_made(client, refusals, changes, cause):
    assert_refused(client.push(assertion=changes), refusals, cause, error=INVALID_CLIENT)


# --- who answers -------------------------------------------------------------------------------------------------
def test_account_that_the_client_hints_at_is_the_one_that_answers(client, browser):
    browser.sign_in(BOB)
    page = client.open(client.push(login_hint=ALICE))

    assert page.status_code == 302
    assert page.headers["Location"].startswith("/test/login")
    browser.sign_in(ALICE)
    assert client.get_code(login_hint=ALICE)


def test_handle_is_left_to_the_sign_in_page(client):
    assert client.get_code(account=BOB, login_hint="alice.example")


def test_confidential_client_is_let_in_silently_the_second_time(client):
    client.get_code()

    assert client.open(client.push()).status_code == 303


# --- how the answer is sent --------------------------------------------------------------------------------------
def test_app_in_a_browser_gets_its_answer_in_the_fragment(client, browser):
    page = client.open_as(ALICE, client.push(response_mode="fragment"))
    location = browser.decide(page).headers["Location"]

    assert location.startswith(f"{client.callback}#code=")
    answer = dict(parse_qsl(urlsplit(location).fragment))
    assert sorted(answer) == ["code", "iss", "state"]
    assert client.redeem(answer["code"]).status_code == 200


def test_refusal_is_in_the_fragment_too(client, browser):
    page = client.open_as(ALICE, client.push(response_mode="fragment"))
    location = browser.decide(page, "deny").headers["Location"]

    assert location.startswith(f"{client.callback}#error=access_denied&")


def test_unknown_response_mode_is_refused(client, refusals):
    assert_refused(client.push(response_mode="query.jwt"), refusals, "response_mode_not_supported")
