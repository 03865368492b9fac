"""The PAR endpoint, and how its request_uri may be used."""

import json

import pytest
from sqlalchemy import select

from flask_private_key_jwt.signals import request_refused
from tests.authorization_server.conftest import APP_ID, PAR_URL, REDIRECT_URI, answer_in, build_request
from tests.conftest import API, INVALID_CLIENT, INVALID_PROOF
from tests.refusals import causes


def uri_of(pushed, client_id=APP_ID, **more):
    return {"client_id": client_id, "request_uri": pushed.json["request_uri"], **more}


def test_request_uri_is_long_and_new_each_time(push):
    first, second = push().json["request_uri"], push().json["request_uri"]

    assert first != second
    assert all(uri.startswith("urn:ietf:params:oauth:request_uri:") and len(uri) == 77 for uri in (first, second))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "jwt"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"dpop_jkt": "x"}, "invalid_request"),
        ({"max_age": "x"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"request": "e.y.j"}, "invalid_request_object"),
        ({"assertion": "x"}, "invalid_client"),
        ({"assertion": False}, "invalid_client"),
        ({"client_id": "other"}, "invalid_client"),
    ],
)
def test_every_refusal_is_json_and_never_a_redirect(change, error, push):
    answer = push(**change)

    assert (answer.status_code, answer.json["error"], answer.mimetype) == (400, error, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"


def test_operator_reads_whose_request_was_refused(app, push, browser):
    named = []
    with request_refused.connected_to(lambda sender, *, client_id, **event: named.append(client_id), sender=app):
        push(max_age="x")
        browser.open(build_request(redirect_uri="https://evil.example"))
        browser.open(build_request(max_age="x"))

    assert named == [APP_ID] * 3


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_refused(method, app, webapp):
    answer = app.test_client().open("/oauth2/par", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_what_is_beside_the_request_uri_is_ignored(push, browser):
    pushed = push(state="inside")
    beside = {"state": ["a", "b"], "scope": "admin", "redirect_uri": "https://evil.example", "response_type": "token"}

    page = browser.sign_in().open(uri_of(pushed, **beside))

    assert answer_in(browser.decide(page))["state"] == "inside"


def test_request_uri_may_be_opened_again_until_it_is_answered(push, browser, refusals):
    query = uri_of(push())
    browser.open(query)
    browser.open(query)
    page = browser.sign_in().open(query)
    assert "code" in answer_in(browser.decide(page))

    assert browser.open(query).status_code == 400
    assert causes(refusals) == ["request_uri_used"]


def test_denied_request_is_used_up(push, browser, refusals):
    query = uri_of(push())
    browser.decide(browser.sign_in().open(query), "deny")

    assert browser.open(query).status_code == 400
    assert refusals[-1].cause == "request_uri_used"


@pytest.mark.parametrize("place", ["request_uri", "client_id", "redirect_uri", "response_mode", "resource"])
@pytest.mark.parametrize("behind", ["", " and more", "'", "\n"])
def test_request_uri_is_never_logged(place, behind, push, browser, refusals, caplog):
    request_uri = push().json["request_uri"]

    browser.open(build_request(**{place: request_uri + behind}))

    secret = request_uri.rpartition(":")[2]
    assert refusals or (place == "request_uri" and not behind)
    assert secret not in caplog.text
    assert not [reason for reason in refusals if secret in reason]


def test_request_uri_with_something_behind_is_refused_and_stays_good(push, browser, refusals):
    request_uri = push().json["request_uri"]

    answer = browser.sign_in().open({"client_id": APP_ID, "request_uri": request_uri + "."})

    assert answer.status_code == 400
    assert refusals == ["a request_uri of 78 characters is not one of ours"]
    assert causes(refusals) == ["request_uri_malformed"]
    assert browser.open({"client_id": APP_ID, "request_uri": request_uri}).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(89, 302), (90, 400)])
def test_request_uri_has_to_be_opened_in_time(seconds, status, push, browser, clock):
    query = uri_of(push())
    clock.move(seconds)

    assert browser.open(query).status_code == status


def test_person_may_take_longer_in_the_session_that_opened_it(push, browser, other_browser, clock):
    query = uri_of(push())
    browser.open(query)
    clock.move(1799)

    assert "code" in answer_in(browser.decide(browser.sign_in().open(query)))
    assert other_browser.open(query).status_code == 400


def test_request_uri_is_its_clients_only(push, browser, register, client_key, refusals):
    register(
        client_id="other",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=[REDIRECT_URI],
        scope="read",
    )
    pushed = push()

    assert browser.open(uri_of(pushed, client_id="other")).status_code == 400
    assert causes(refusals) == ["request_uri_foreign"]
    assert browser.open(uri_of(pushed)).status_code == 302


def test_redirect_uri_that_is_no_longer_registered_is_not_used(push, browser, app, oauth, refusals):
    pushed = push()
    with app.app_context():
        oauth.clients.update(APP_ID, {"redirect_uris": ["https://app.example/new"]})

    assert browser.open(uri_of(pushed)).status_code == 400
    assert refusals == [f"redirect_uri {REDIRECT_URI!r} is not registered"]
    assert causes(refusals) == ["redirect_uri_not_registered"]


def test_client_may_be_held_to_par(browser, app, oauth, webapp, push, refusals):
    with app.app_context():
        oauth.clients.update(APP_ID, {"require_pushed_authorization_requests": True})

    assert browser.open(build_request()).status_code == 400
    assert causes(refusals) == ["request_not_pushed"]
    assert browser.open(uri_of(push())).status_code == 302


@pytest.mark.parametrize("settings", [{"OAUTH2_REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": True}])
def test_server_may_hold_every_client_to_par(app, browser, push, refusals):
    assert browser.open(build_request()).status_code == 400
    assert causes(refusals) == ["request_not_pushed"]
    assert browser.open(uri_of(push())).status_code == 302
    assert (
        app.test_client().get("/.well-known/oauth-authorization-server").json["require_pushed_authorization_requests"]
    )


def test_assertion_is_spent_by_a_pushed_request(push, build_assertion):
    assertion = build_assertion(iss=APP_ID, sub=APP_ID)

    assert push(assertion=assertion).status_code == 201
    assert push(assertion=assertion).json == INVALID_CLIENT


# --- the key of the code ----------------------------------------------------------------------------------------
def code_for(browser, pushed):
    return answer_in(browser.decide(browser.sign_in().open(uri_of(pushed))))["code"]


@pytest.mark.parametrize("way", ["proof", "dpop_jkt", "both"])
def test_code_of_a_pushed_request_is_bound_to_its_key(
    way, push, browser, redeem, build_dpop, proof_key, keys, refusals
):
    change = {}
    if way != "proof":
        change["dpop_jkt"] = proof_key.public.thumbprint
    if way != "dpop_jkt":
        change["proof"] = build_dpop(htu=PAR_URL)
    code = code_for(browser, push(**change))

    assert redeem(code).json["error"] == "invalid_grant"
    assert redeem(code, proof=build_dpop(key=keys("ES256", "another"))).json["error"] == "invalid_grant"
    assert causes(refusals) == ["code_key_mismatch"] * 2
    assert redeem(code, proof=build_dpop()).json["token_type"] == "DPoP"


def test_two_keys_that_differ_are_refused(push, build_dpop, keys, refusals):
    jkt = keys("ES256", "another").public.thumbprint

    assert push(proof=build_dpop(htu=PAR_URL), dpop_jkt=jkt).json == INVALID_PROOF
    assert causes(refusals) == ["dpop_jkt_mismatch"]


def test_proof_for_another_endpoint_is_refused(push, build_dpop):
    assert push(proof=build_dpop()).json == INVALID_PROOF


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_nonce_is_asked_for_and_nothing_is_spent(push, build_dpop, build_assertion):
    assertion = build_assertion(iss=APP_ID, sub=APP_ID)

    asked = push(assertion=assertion, proof=build_dpop(htu=PAR_URL))

    assert (asked.status_code, asked.json["error"]) == (400, "use_dpop_nonce")
    proof = build_dpop(htu=PAR_URL, nonce=asked.headers["DPoP-Nonce"])
    answer = push(assertion=assertion, proof=proof)
    assert (answer.status_code, len(answer.headers.getlist("DPoP-Nonce"))) == (201, 1)


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_REQUIRED": True}])
def test_pushed_request_needs_no_proof_where_tokens_do(push):
    assert push().status_code == 201


# --- what is kept ---------------------------------------------------------------------------------------------
@pytest.fixture
def kept(app):
    """What the store keeps of pushed requests."""

    def kept():
        store = app.extensions["private_key_jwt"].authorizations
        with app.app_context(), store._database.begin() as connection:
            return [json.loads(text) for text in connection.execute(select(store._pushed.c.parameters)).scalars()]

    return kept


def test_values_are_kept_as_they_were_checked(push, kept, client_key):
    pushed = push(prompt="login consent login", scope="read read", max_age="0", request="", unknown="x" * 9999)

    assert pushed.status_code == 201
    sent = build_request(scope="read", response_mode="query", prompt="consent login", max_age="0")
    del sent["client_id"]
    assert kept() == [{"values": sent, "resources": [API], "client_jkt": client_key.public.thumbprint}]


def test_prompt_has_a_longest_length(push, refusals):
    assert push(prompt=" ".join(["login"] * 42)).status_code == 201
    assert push(prompt=" ".join(["login"] * 43)).json["error"] == "invalid_request"
    assert refusals == ["prompt is longer than 255 characters"]
    assert causes(refusals) == ["prompt_too_long"]


@pytest.mark.parametrize(("seconds", "left"), [(90 + 1800, ["first", "second"]), (90 + 1801, ["second"])])
def test_push_drops_what_nobody_can_use_any_more(seconds, left, push, kept, clock):
    push(state="first")
    clock.move(seconds)

    assert push(state="second").status_code == 201

    assert sorted(request["values"]["state"] for request in kept()) == left
