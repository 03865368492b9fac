"""Authorization requests under the profile: pushed, with a proof and a nonce, with state and the scope atproto."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import text

from tests.authorization_server.atproto.conftest import ALICE, BOB, CLIENT
from tests.authorization_server.conftest import PAR_URL, build_request, challenge_of
from tests.conftest import INVALID_CLIENT, INVALID_PROOF, INVALID_REQUEST, TOKEN_URL
from tests.refusals import causes
from tests.servers.https_servers import HOST

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


CHALLENGE = challenge_of("w" * 43)


def get_answer(client, **changes):
    client.browser.sign_in(ALICE)
    return client.answer_of(client.open(client.push(code_challenge=CHALLENGE, **changes)))


def test_code_challenge_gets_a_code_once_in_a_day(client, refusals, clock):
    assert "code" in get_answer(client)
    clock.move(86399)
    assert get_answer(client)["error"] == "invalid_request"
    assert causes(refusals) == ["code_challenge_reused"]
    clock.move(2)

    assert "code" in get_answer(client)


@pytest.fixture
def count_marks(app):
    """How many values the replay store remembers."""

    def count_marks():
        with app.app_context():
            return app.extensions["sqlalchemy"].session.execute(text("SELECT count(*) FROM oauth2_replay")).scalar_one()

    return count_marks


def test_stranger_who_pushes_leaves_an_assertion_and_a_proof_only(client, count_marks):
    assert (client.push().status_code, count_marks()) == (201, 2)


def test_request_that_is_pushed_or_denied_uses_no_code_challenge_up(client):
    client.browser.sign_in(ALICE)
    denied, allowed = (client.open(client.push(code_challenge=CHALLENGE)) for _ in range(2))
    assert client.browser.decide(denied, "deny").status_code == 303

    assert "code" in client.answer_of(allowed)


def test_button_that_is_pressed_twice_gives_one_code(client, refusals):
    client.browser.sign_in(ALICE)
    page = client.open(client.push(code_challenge=CHALLENGE))

    assert client.answer_of(page)["code"] == client.answer_of(page)["code"]
    assert refusals == []


def test_code_challenge_that_was_refused_stays_refused_for_its_request(client, refusals):
    client.browser.sign_in(ALICE)
    first, second = (client.open(client.push(code_challenge=CHALLENGE)) for _ in range(2))
    assert "code" in client.answer_of(first)
    assert client.answer_of(second)["error"] == "invalid_request"
    again = client.browser.decide(second)

    assert "code=" not in again.headers.get("Location", "")
    assert causes(refusals)[0] == "code_challenge_reused"


def test_code_challenge_of_another_client_is_another(client, publish, build_client):
    assert "code" in get_answer(client)
    other = build_client(client_id=f"https://{HOST}/other.json")
    publish(client_id=other.client_id)

    assert "code" in get_answer(other)


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
