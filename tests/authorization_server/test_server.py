"""The order of the seven steps, and that nothing is spent before the fourth."""

import pytest

from flask_private_key_jwt.replay.memory import MemoryReplayStore
from tests.conftest import CLIENT_ID, INVALID_CLIENT, INVALID_PROOF
from tests.refusals import causes


@pytest.fixture
def remembered(monkeypatch):
    """The marks that any app of this test has spent, request by request."""
    calls = []
    really_remember = MemoryReplayStore.remember

    def remember(self, marks):
        calls.append([(mark.purpose, mark.owner, mark.jti) for mark in marks])
        really_remember(self, marks)

    monkeypatch.setattr(MemoryReplayStore, "remember", remember)
    return calls


def test_assertion_and_proof_are_spent_in_one_step(ask_token, build_assertion, build_dpop, proof_key, remembered):
    ask_token(assertion=build_assertion(jti="a"), proof=build_dpop(jti="p"))

    assert remembered == [[("client_assertion", CLIENT_ID, "a"), ("dpop_proof", proof_key.public.thumbprint, "p")]]


# --- steps 1 to 3 spend nothing -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_assertion_type": "x"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"headers": {"Authorization": "Basic x"}}, "invalid_request"),
        ({"headers": {"Content-Type": "text/plain"}}, "invalid_request"),
        ({"proof": "x"}, "invalid_dpop_proof"),
        ({"proof": {"htm": "GET"}}, "invalid_dpop_proof"),
        ({"proof": {"iat": 0}}, "invalid_dpop_proof"),
    ],
)
def test_refusal_before_the_fourth_step_spends_nothing(
    change, error, ask_token, build_assertion, build_dpop, remembered
):
    assertion, proof = build_assertion(), build_dpop(jti="p")
    changed = {"proof": proof, **change}
    if isinstance(changed["proof"], dict):
        changed["proof"] = build_dpop(jti="p", **changed["proof"])

    assert ask_token(assertion=assertion, **changed).json["error"] == error

    assert remembered == []
    assert ask_token(assertion=assertion, proof=proof).status_code == 200


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_being_sent_for_a_nonce_spends_nothing(ask_token, build_assertion, build_dpop, remembered):
    assertion = build_assertion()

    answer = ask_token(assertion=assertion, proof=build_dpop(jti="p"))

    assert (answer.json["error"], remembered) == ("use_dpop_nonce", [])
    proof = build_dpop(jti="p", nonce=answer.headers["DPoP-Nonce"])
    assert ask_token(assertion=assertion, proof=proof).status_code == 200


def test_stranger_cannot_spend_the_jti_of_a_client(ask_token, build_assertion, keys, client_key, remembered):
    forged = build_assertion(key=keys("ES256", "stranger"), jti="a", header={"kid": client_key.public.thumbprint})

    assert ask_token(assertion=forged).json == INVALID_CLIENT

    assert remembered == []
    assert ask_token(assertion=build_assertion(jti="a")).status_code == 200


# --- from the fourth on both are spent ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
    ],
)
def test_later_refusal_has_spent_assertion_and_proof(change, error, ask_token, build_assertion, build_dpop):
    assertion, proof = build_assertion(), build_dpop()
    assert ask_token(assertion=assertion, proof=proof, **change).json["error"] == error

    assert ask_token(assertion=assertion, proof=build_dpop()).json == INVALID_CLIENT
    assert ask_token(proof=proof).json == INVALID_PROOF


def test_replayed_proof_leaves_the_assertion_good(ask_token, build_assertion, build_dpop):
    proof, assertion = build_dpop(), build_assertion()
    ask_token(proof=proof)

    assert ask_token(assertion=assertion, proof=proof).json == INVALID_PROOF

    assert ask_token(assertion=assertion, proof=build_dpop()).status_code == 200


def test_replayed_assertion_leaves_the_proof_good(ask_token, build_assertion, build_dpop):
    proof, assertion = build_dpop(), build_assertion()
    ask_token(assertion=assertion)

    assert ask_token(assertion=assertion, proof=proof).json == INVALID_CLIENT

    assert ask_token(proof=proof).status_code == 200


@pytest.mark.parametrize("used", ["assertion", "proof"])
def test_replay_is_logged_with_the_client(used, ask_token, build_assertion, build_dpop, caplog):
    twice = {used: build_assertion() if used == "assertion" else build_dpop()}
    ask_token(**twice)

    ask_token(**twice)

    assert "was used before [" in caplog.messages[-1]
    assert f"client {CLIENT_ID}, reference " in caplog.messages[-1]


# --- whose request it was -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"proof": "x"},
        {"grant_type": None},
        {"grant_type": "password"},
        {"grant_type": "refresh_token"},
        {"scope": "admin"},
        {"resource": "https://evil.example"},
    ],
)
def test_refusal_after_the_second_step_names_the_client(change, ask_token, caplog):
    assert ask_token(**change).status_code == 400

    assert f"client {CLIENT_ID}, reference " in caplog.messages[-1]


@pytest.mark.parametrize("change", [{"assertion": "x"}, {"client_assertion_type": "x"}])
def test_refusal_before_it_names_nobody(change, ask_token, caplog):
    assert ask_token(**change).status_code == 400

    assert "client None, reference " in caplog.messages[-1]


# --- which refusal comes first: what is wrong earlier in the table of contents --------------------------------
def test_form_comes_before_the_client(ask_token, refusals):
    ask_token(assertion="x", headers={"Content-Type": "text/plain"})

    assert refusals[0].cause == "content_type"


def test_client_comes_before_the_proof(ask_token, refusals):
    ask_token(assertion="x", proof="x")

    assert causes(refusals) == ["assertion_malformed"]


def test_proof_comes_before_the_grant(ask_token, refusals):
    ask_token(proof="x", grant_type="password", scope="admin")

    assert causes(refusals) == ["proof_malformed"]


# --- Authlib's server underneath: its users' own grants and endpoints are tested in test_authlib_users.py ----------
def test_registered_client_is_found_in_the_shape_of_authlib(app, client, oauth):
    authorization_server = app.extensions["private_key_jwt"].server
    with app.app_context():
        assert authorization_server.query_client(CLIENT_ID).get_client_id() == CLIENT_ID
        assert authorization_server.query_client("nobody") is None
        oauth.clients.disable(CLIENT_ID)
        assert authorization_server.query_client(CLIENT_ID) is None
