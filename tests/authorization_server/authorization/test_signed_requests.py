"""Signed requests from start to end: pushed or in the URL, required or not, and how long they are valid."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.authorization_server.conftest import APP_ID, PAR_URL, PATH, answer_in, build_request
from tests.conftest import INVALID_PROOF, INVALID_REQUEST, ISSUER
from tests.refusals import causes

METADATA = "/.well-known/oauth-authorization-server"
REQUIRED = pytest.mark.parametrize("settings", [{"OAUTH2_REQUIRE_SIGNED_REQUESTS": True}])


@pytest.fixture
def require_signed(app, oauth, webapp):
    def require_signed(**metadata):
        with app.app_context():
            oauth.clients.update(APP_ID, {"require_signed_request_object": True, **metadata})

    return require_signed


def uri_of(pushed):
    return {"client_id": APP_ID, "request_uri": pushed.json["request_uri"]}


def sign_in_and_allow(browser, query):
    return answer_in(browser.decide(browser.sign_in().open(query)))


# --- to the end -------------------------------------------------------------------------------------------------
def test_pushed_object_yields_a_code_for_what_it_says(push_object, browser, redeem):
    beside = build_request(scope="write", state="outside", client_id=None)

    answer = sign_in_and_allow(browser, uri_of(push_object(state="inside", max_age=60, beside=beside)))

    assert answer["state"] == "inside"
    assert redeem(answer["code"]).json["scope"] == "read"


def test_object_in_the_url_yields_a_code_for_what_it_says(browser, webapp, build_object, redeem):
    query = {"client_id": APP_ID, "request": build_object(state="inside"), "state": "outside", "scope": "write"}

    answer = sign_in_and_allow(browser, query)

    assert answer["state"] == "inside"
    assert redeem(answer["code"]).json["scope"] == "read"


def test_posted_object_goes_on_in_the_url(browser, webapp, build_object):
    request = build_object()
    answer = browser.sign_in().http.post(PATH, data={"client_id": APP_ID, "request": request})

    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"client_id": [APP_ID], "request": [request]}
    assert "code" in answer_in(browser.decide(browser.http.get(answer.headers["Location"])))


def test_what_is_beside_the_object_goes_no_further(browser, webapp, build_object):
    request = build_object()
    beside = {"state": ["a", "b"], "redirect_uri": "https://evil.example"}

    answer = browser.open({**beside, "client_id": APP_ID, "request": request})

    (way_back,) = parse_qs(urlsplit(answer.headers["Location"]).query)["next"]
    assert parse_qs(urlsplit(way_back).query) == {"client_id": [APP_ID], "request": [request]}


def test_denial_says_the_state_of_the_object(browser, webapp, build_object):
    page = browser.sign_in().open({"client_id": APP_ID, "request": build_object(state="inside"), "state": "outside"})

    answer = answer_in(browser.decide(page, "deny"))

    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "inside", ISSUER)


def test_object_with_prompt_login_is_fulfilled_by_signing_in_once(browser, webapp, build_object):
    query = {"client_id": APP_ID, "request": build_object(prompt="login")}
    browser.sign_in()

    asked = browser.open({**query, "nonce": "another"})  # what is beside the object does not make it another request

    assert parse_qs(urlsplit(asked.headers["Location"]).query)["again"] == ["True"]
    assert "code" in sign_in_and_allow(browser, query)


def test_decision_for_one_object_is_not_taken_for_another(browser, webapp, build_object, refusals):
    one = browser.sign_in().open({"client_id": APP_ID, "request": build_object(state="one")})
    two = browser.open({"client_id": APP_ID, "request": build_object(state="two", scope="write")})
    token = two.text.partition('name="decision_token" value="')[2].partition('"')[0]

    assert browser.decide(one, decision_token=token).status_code == 403
    assert causes(refusals) == ["decision_foreign"]


# --- the request_uri and the request ------------------------------------------------------------------------------
def test_request_and_request_uri_in_one_request_are_refused(push, browser, build_object, refusals):
    query = uri_of(push())

    assert browser.open({**query, "request": build_object()}).status_code == 400
    assert causes(refusals) == ["request_ambiguous"]
    assert browser.open({**query, "request": ""}).status_code == 302


def test_request_uri_beside_a_pushed_object_is_refused(push, push_object, refusals):
    beside = {"request_uri": push().json["request_uri"]}

    answer = push_object(beside=beside)

    assert (answer.status_code, answer.json) == (400, INVALID_REQUEST)
    assert causes(refusals) == ["request_uri_pushed"]


def test_object_twice_is_refused(browser, webapp, build_object, refusals):
    request = build_object()

    assert browser.open({"client_id": APP_ID, "request": [request, request]}).status_code == 400
    assert refusals == ["parameter 'request' is sent more than once"]
    assert causes(refusals) == ["parameter_repeated"]


@pytest.mark.parametrize("client_id", [None, "", "other"])
def test_client_id_has_to_stand_outside(client_id, browser, webapp, build_object, refusals):
    query = {"request": build_object()} | ({} if client_id is None else {"client_id": client_id})

    assert browser.open(query).status_code == 400
    assert refusals == [f"client {client_id or ''!r} is not registered"]
    assert causes(refusals) == ["client_unknown"]


def test_client_id_outside_has_to_be_the_one_inside(browser, webapp, native, build_object, refusals):
    assert browser.open({"client_id": "native", "request": build_object()}).status_code == 400
    assert refusals == ["request object: client_id 'webapp' is not 'native'"]
    assert causes(refusals) == ["request_object_client_id"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": True}])
def test_object_in_the_url_was_not_pushed(browser, push_object, open_object, refusals):
    assert open_object().status_code == 400
    assert causes(refusals) == ["request_not_pushed"]
    assert browser.open(uri_of(push_object())).status_code == 302


# --- required -----------------------------------------------------------------------------------------------------
def assert_signed_only(push, push_object, open_object, browser, refusals):
    answer = push()
    assert (answer.status_code, answer.json) == (400, INVALID_REQUEST)
    answer = browser.open(build_request())
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert causes(refusals) == ["request_not_signed"] * 2

    assert browser.open(uri_of(push_object())).status_code == 302
    assert open_object().status_code == 302


@REQUIRED
def test_server_may_hold_every_client_to_signed_requests(push, push_object, open_object, browser, refusals):
    assert_signed_only(push, push_object, open_object, browser, refusals)


def test_client_may_be_held_to_signed_requests(require_signed, push, push_object, open_object, browser, refusals):
    require_signed()

    assert_signed_only(push, push_object, open_object, browser, refusals)


@REQUIRED
@pytest.mark.parametrize("request_", ["", None])
def test_empty_object_does_not_count_as_signed(request_, push, refusals):
    assert push(request=request_).json == INVALID_REQUEST
    assert causes(refusals) == ["request_not_signed"]


def test_plain_request_that_was_pushed_before_is_refused_once_they_have_to_be_signed(
    push, push_object, browser, require_signed, refusals
):
    plain, opened, signed = uri_of(push()), uri_of(push()), uri_of(push_object())
    page = browser.sign_in().open(opened)
    require_signed()

    for answer in (browser.open(plain), browser.open(opened), browser.decide(page)):
        assert answer.status_code == 400
    assert causes(refusals) == ["request_not_signed"] * 3
    assert "code" in sign_in_and_allow(browser, signed)


def test_request_kept_by_an_older_version_does_not_count_as_signed(app, push, browser, require_signed, refusals):
    query = uri_of(push())
    store = app.extensions["private_key_jwt"].authorizations
    kept = '{"values": {}, "resources": []}'
    with app.app_context(), store._database.begin() as connection:
        connection.execute(update(store._pushed).values(parameters=kept))
    require_signed()

    assert browser.open(query).status_code == 400
    assert causes(refusals) == ["request_not_signed"]


@REQUIRED
def test_public_client_has_no_way_in_where_requests_are_signed(app, oauth, people, refusals):
    metadata = {
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    }
    with app.app_context(), pytest.raises(InvalidClientMetadata) as refused:
        oauth.clients.add(metadata)

    assert "token_endpoint_auth_method" in refused.value.reason
    assert app.test_client().get(METADATA).json["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]


# --- how long ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("lives", "waits"), [(1, 1), (0.5, 1), (30, 30), (30.5, 31), (90, 90), (91, 90), (3600, 90)])
def test_pushed_object_waits_no_longer_than_it_lives(lives, waits, push_object, browser, other_browser, clock):
    pushed = push_object(exp=clock.now + lives)

    assert pushed.json["expires_in"] == waits
    clock.move(waits - 1)
    assert browser.open(uri_of(pushed)).status_code == 302
    clock.move(1)
    assert other_browser.open(uri_of(pushed)).status_code == 400


def test_person_may_take_longer_than_the_object_lives_in_the_session_that_opened_it(
    browser, other_browser, webapp, build_object, clock, refusals
):
    query = {"client_id": APP_ID, "request": build_object(nbf=clock.now - 3500, exp=clock.now + 60)}
    browser.open(query)
    clock.move(1799)

    assert "code" in sign_in_and_allow(browser, query)
    assert other_browser.open(query).status_code == 400
    assert browser.open(query).status_code == 400  # it is answered: it is not in progress any more
    assert refusals == ["request object: expired, 1739 s ago"] * 2
    assert causes(refusals) == ["request_object_expired"] * 2


def test_object_that_was_opened_is_over_with_the_interaction(browser, webapp, build_object, clock, refusals):
    query = {"client_id": APP_ID, "request": build_object()}
    browser.open(query)
    clock.move(1800)

    assert browser.open(query).status_code == 400
    assert refusals == ["request object: expired, 1500 s ago"]
    assert causes(refusals) == ["request_object_expired"]


def test_everything_but_its_time_is_still_checked_while_the_person_takes_longer(
    app, oauth, keys, browser, webapp, build_object, clock, refusals
):
    query = {"client_id": APP_ID, "request": build_object()}
    browser.open(query)
    clock.move(400)
    with app.app_context():
        oauth.clients.update(APP_ID, {"jwks": {"keys": [keys("ES256", "new").public_jwk()]}})

    assert browser.open(query).status_code == 400
    assert refusals[0].cause == "request_object_no_key"


def test_expired_object_does_not_become_valid_by_being_brought_twice(open_object, build_object, clock, refusals):
    request = build_object(exp=clock.now + 5)
    clock.move(5)

    assert [open_object(request).status_code for _ in range(2)] == [400, 400]
    assert refusals == ["request object: expired, 0 s ago"] * 2
    assert causes(refusals) == ["request_object_expired"] * 2


# --- the key of the code ------------------------------------------------------------------------------------------
def test_key_in_the_object_counts_and_the_one_beside_it_does_not(
    push_object, browser, redeem, build_dpop, proof_key, keys, refusals
):
    beside = {"dpop_jkt": keys("ES256", "another").public.thumbprint}
    pushed = push_object(dpop_jkt=proof_key.public.thumbprint, beside=beside)

    code = sign_in_and_allow(browser, uri_of(pushed))["code"]

    assert redeem(code).json["error"] == "invalid_grant"
    assert redeem(code, proof=build_dpop()).json["token_type"] == "DPoP"


def test_proof_beside_a_pushed_object_binds_the_code(push_object, browser, redeem, build_dpop, refusals):
    pushed = push_object(proof=build_dpop(htu=PAR_URL))

    code = sign_in_and_allow(browser, uri_of(pushed))["code"]

    assert redeem(code).json["error"] == "invalid_grant"
    assert causes(refusals) == ["code_key_mismatch"]
    assert redeem(code, proof=build_dpop()).json["token_type"] == "DPoP"


def test_proof_and_object_have_to_name_one_key(push_object, build_dpop, keys, refusals):
    jkt = keys("ES256", "another").public.thumbprint

    assert push_object(proof=build_dpop(htu=PAR_URL), dpop_jkt=jkt).json == INVALID_PROOF
    assert causes(refusals) == ["dpop_jkt_mismatch"]


# --- what is spent, and what is noted -----------------------------------------------------------------------------
def test_refused_object_spends_the_assertion_and_nothing_else(post, webapp, build_assertion, build_object, refusals):
    assertion, request = build_assertion(iss=APP_ID, sub=APP_ID), build_object()

    assert post("/oauth2/par", assertion="x", request=request).json["error"] == "invalid_client"
    assert post("/oauth2/par", assertion=assertion, request="x").json["error"] == "invalid_request_object"
    assert post("/oauth2/par", assertion=assertion, request=request).json["error"] == "invalid_client"
    assert post("/oauth2/par", request=request).status_code == 201


def test_use_of_the_key_is_noted(app, oauth, browser, keys, open_object):
    signs = keys("ES256", "signs requests")
    with app.app_context():
        oauth.clients.update(APP_ID, {"jwks": {"keys": [keys("ES256", "client").public_jwk(), signs.public_jwk()]}})

    def last_uses():
        state = app.extensions["private_key_jwt"]
        with app.app_context():
            states = state.key_use.describe(state.server.clients.find(APP_ID))
        return {each.key.public.thumbprint: each.last_used_at for each in states}

    open_object("x")
    open_object(key=signs, sub=APP_ID)
    assert last_uses()[signs.public.thumbprint] is None
    open_object(key=signs)

    assert last_uses()[signs.public.thumbprint] is not None
    assert last_uses()[keys("ES256", "client").public.thumbprint] is None


# --- what is advertised ---------------------------------------------------------------------------------------------
def read_metadata(app):
    document = app.test_client().get(METADATA).json
    return {name: value for name, value in document.items() if "request" in name and "pushed" not in name}


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({}, {}),
        ({"OAUTH2_REQUIRE_SIGNED_REQUESTS": True}, {"require_signed_request_object": True}),
        (
            {"OAUTH2_REQUEST_OBJECT_SIGNING_ALGS": ["PS256", "ES256"]},
            {"request_object_signing_alg_values_supported": ["PS256", "ES256"]},
        ),
        (
            {"OAUTH2_PROFILE": "fapi2", "OAUTH2_REPLAY_STORE": "sql"},
            {"request_object_signing_alg_values_supported": ["PS256", "ES256", "EdDSA", "Ed25519"]},
        ),
    ],
)
def test_metadata_says_what_is_accepted(settings, members, app, people):
    assert read_metadata(app) == {
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "request_object_signing_alg_values_supported": list(ASYMMETRIC_ALGS),
        **members,
    }


def test_metadata_is_silent_where_there_are_no_people(app):
    assert read_metadata(app) == {}


# --- keys that are not to be had ------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_FETCH_FROM_LOOPBACK": True}])
def test_object_is_refused_while_the_keys_of_its_client_are_away(app, oauth, open_object, client_key, refusals):
    def set_keys(**metadata):
        with app.app_context():
            oauth.clients.update(APP_ID, metadata)

    set_keys(jwks=None, jwks_uri="http://127.0.0.1:1/jwks.json")
    assert open_object().status_code == 400
    assert len(refusals) == 1
    assert refusals[0].startswith("the client's keys at 'http://127.0.0.1:1/jwks.json' cannot be had")
    assert refusals[0].cause == "client_keys_unavailable"

    set_keys(jwks={"keys": [client_key.public_jwk()]}, jwks_uri=None)
    assert open_object().status_code == 302
