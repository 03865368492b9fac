"""What OpenID Connect adds to an authorization request: max_age, id_token_hint and others, and what is ignored."""

import json

import pytest
from sqlalchemy import text

from flask_private_key_jwt.jose import jose
from tests.authorization_server.authorization.test_interaction import is_asked_to_consent, is_asked_to_sign_in
from tests.authorization_server.conftest import APP_ID, answer_in, build_request
from tests.conftest import ISSUER, START
from tests.refusals import causes


@pytest.fixture
def webapp(openid_app):
    return openid_app


@pytest.fixture
def update(app, oauth, webapp):
    def update(**changes):
        with app.app_context():
            oauth.clients.update(APP_ID, changes)

    return update


@pytest.fixture
def consented(browser, webapp):
    """A browser whose person, alice, has allowed the usual request."""
    browser.decide(browser.sign_in().open(build_request(scope="openid")))
    return browser


@pytest.fixture
def ask(consented):
    def ask(**changes):
        return consented.open(build_request(**{"scope": "openid", **changes}))

    return ask


@pytest.fixture
def get_hint(get_code, redeem):
    """An ID token of alice's."""
    return lambda: redeem(get_code(scope="openid")).json["id_token"]


# --- default_max_age ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("seconds", "asked"), [(60, False), (61, True)])
def test_default_max_age_counts_where_the_request_names_none(seconds, asked, update, ask, clock):
    update(default_max_age=60)
    clock.move(seconds)

    assert is_asked_to_sign_in(ask(), again=True) == asked


def test_max_age_of_the_request_goes_before(update, ask, clock):
    update(default_max_age=60)
    clock.move(61)

    assert "code" in answer_in(ask(max_age="61"))
    assert is_asked_to_sign_in(ask(max_age="60"), again=True)


def test_default_max_age_counts_for_a_pushed_request(update, push, consented, clock):
    update(default_max_age=60)
    request_uri = push(scope="openid").json["request_uri"]
    clock.move(61)

    assert is_asked_to_sign_in(consented.open({"client_id": APP_ID, "request_uri": request_uri}), again=True)


def test_default_max_age_of_zero_asks_every_time(update, ask, consented):
    update(default_max_age=0)

    assert is_asked_to_sign_in(ask(), again=True)
    consented.sign_in()
    assert "code" in answer_in(ask())
    assert is_asked_to_sign_in(ask(), again=True)


# --- when it has to be known when the person signed in --------------------------------------------------------
@pytest.fixture
def forget_when(consented):
    """Leaves alice signed in without a note of when, as a remember-me cookie does."""

    def forget_when():
        with consented.http.session_transaction() as session:
            session.clear()
            session["user"] = "alice"

    return forget_when


NEEDS = pytest.mark.parametrize(
    ("registered", "requested"),
    [({"require_auth_time": True}, {}), ({"default_max_age": 9999}, {}), ({}, {"max_age": "9999"})],
)


@NEEDS
def test_person_signs_in_again_when_nobody_knows_when_they_did(
    registered, requested, update, ask, consented, forget_when
):
    update(**registered)
    forget_when()
    assert is_asked_to_sign_in(ask(**requested), again=True)

    consented.sign_in()

    assert "code" in answer_in(ask(**requested))


@NEEDS
def test_prompt_none_asks_nobody_when_they_did(registered, requested, update, ask, consented, forget_when, refusals):
    update(**registered)
    forget_when()

    assert answer_in(ask(**requested, prompt="none"))["error"] == "login_required"
    assert causes(refusals) == ["sign_in_too_old"]


def test_who_does_not_need_to_know_does_not_ask(ask, consented, forget_when):
    forget_when()

    assert "code" in answer_in(ask())


def test_required_auth_time_is_for_id_tokens_only(update, browser, consented, forget_when):
    update(require_auth_time=True)
    forget_when()

    assert is_asked_to_consent(browser.open(build_request(scope="read")))


# --- id_token_hint --------------------------------------------------------------------------------------------
def test_hint_of_the_person_who_is_signed_in_changes_nothing(get_hint, browser):
    hint = get_hint()

    for change in ({}, {"prompt": "none"}):
        assert "code" in answer_in(browser.open(build_request(scope="openid", id_token_hint=hint, **change)))


def test_expired_hint_still_names_somebody(get_hint, browser, clock):
    hint = get_hint()
    clock.move(86400)

    assert "code" in answer_in(browser.open(build_request(scope="openid", id_token_hint=hint)))


def test_hint_of_somebody_else_and_prompt_none_do_not_go_together(get_hint, browser, refusals):
    hint = get_hint()
    browser.sign_in("bob")

    answer = answer_in(browser.open(build_request(scope="openid", id_token_hint=hint, prompt="none")))

    assert (answer["error"], answer["iss"]) == ("login_required", ISSUER)
    assert causes(refusals) == ["person_not_hinted"]


@pytest.mark.parametrize("way", ["url", "pushed"])
@pytest.mark.parametrize("before", [None, "bob"])
def test_hinted_person_has_to_sign_in(way, before, get_hint, push, other_browser):
    query = build_request(scope="openid", id_token_hint=get_hint())
    if way == "pushed":
        query = {"client_id": APP_ID, "request_uri": push(**query).json["request_uri"]}
    if before:
        other_browser.sign_in(before)
    for _ in range(2):
        assert is_asked_to_sign_in(other_browser.open(query), again=before is not None)

    assert "code" in answer_in(other_browser.sign_in("alice").open(query))


@pytest.mark.parametrize("way", ["url", "pushed"])
@pytest.mark.parametrize("before", [None, "bob"])
def test_client_hears_when_somebody_else_signs_in_all_the_same(way, before, get_hint, push, other_browser, refusals):
    query = build_request(scope="openid", id_token_hint=get_hint())
    if way == "pushed":
        query = {"client_id": APP_ID, "request_uri": push(**query).json["request_uri"]}
    if before:
        other_browser.sign_in(before)
    other_browser.open(query)

    answer = answer_in(other_browser.sign_in("bob").open(query))

    assert answer["error"] == "login_required"
    assert causes(refusals) == ["person_not_hinted"]


def test_consent_page_of_the_hinted_person_is_no_good_for_somebody_else(get_hint, browser, refusals):
    query = build_request(scope="openid", id_token_hint=get_hint(), prompt="consent")
    page = browser.open(query)
    browser.sign_in("bob")

    assert browser.decide(page).status_code == 403


def test_pushed_hint_is_not_kept_but_whom_it_names(app, server, get_hint, push):
    hint = get_hint()
    push(scope="openid", id_token_hint=hint)

    with app.app_context():
        (kept,) = server[2].session.execute(text("SELECT parameters FROM oauth2_pushed_request")).scalars()
    assert hint not in kept
    assert json.loads(kept)["hinted_subject"] == "alice"


def test_whom_a_hint_would_name_cannot_be_said_without_one(consented, push):
    query = build_request(scope="openid", hinted_subject="bob", prompt="none")
    assert "code" in answer_in(consented.open(query))
    pushed = push(**query).json["request_uri"]

    assert "code" in answer_in(consented.open({"client_id": APP_ID, "request_uri": pushed}))


@pytest.fixture
def build_hint(app, webapp):
    """A hint that is signed with this server's own key, changed; or with another one's."""

    def build(*, key=None, typ="JWT", **changes):
        with app.app_context():
            signing = key or app.extensions["private_key_jwt"].server_keys.current().signing
        claims = {"iss": ISSUER, "sub": "alice", "aud": APP_ID, "iat": START, "exp": START + 300, **changes}
        header = {"typ": typ, "kid": signing.public.thumbprint}
        return jose.sign(header, {name: value for name, value in claims.items() if value is not None}, signing)

    return build


BAD_HINTS = [
    (lambda build, keys: "x", "id_token_hint: not a compact JWS of three base64url parts"),
    (lambda build, keys: "é" * 5, "id_token_hint: "),
    (lambda build, keys: "e" * 9000, "id_token_hint: longer than 8192 bytes"),
    (lambda build, keys: build(key=keys("ES256", "thief")), "id_token_hint: the issuer has no key with kid"),
    (lambda build, keys: build(iss="https://evil.example"), "id_token_hint: iss 'https://evil.example' is not"),
    (lambda build, keys: build(typ="at+jwt"), "id_token_hint: typ 'at+jwt' is not absent or jwt"),
    (lambda build, keys: build(sub=None), "id_token_hint: missing claim 'sub'"),
    (lambda build, keys: build(sub=5), "id_token_hint: sub is not a string"),
    (lambda build, keys: build(aud=[APP_ID]), "id_token_hint: aud is not a string"),
    (lambda build, keys: build(aud="other"), "id_token_hint was issued to 'other'"),
]


@pytest.mark.parametrize(("make", "reason"), BAD_HINTS)
def test_hint_that_is_none_is_refused(make, reason, build_hint, keys, browser, push, refusals):
    hint = make(build_hint, keys)
    assert "code" not in answer_in(browser.sign_in().open(build_request(scope="openid", id_token_hint=hint)))

    answer = push(scope="openid", id_token_hint=hint)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert len(refusals) == 2
    assert all(refusal.startswith(reason) for refusal in refusals)


def test_hint_signed_by_this_server_is_one(build_hint, consented):
    assert "code" in answer_in(consented.open(build_request(scope="openid", id_token_hint=build_hint())))


def test_access_token_is_no_hint(get_code, redeem, browser, refusals):
    token = redeem(get_code(scope="openid")).json["access_token"]

    answer = answer_in(browser.open(build_request(scope="openid", id_token_hint=token)))

    assert answer["error"] == "invalid_request"
    assert refusals == ["id_token_hint: typ 'at+jwt' is not absent or jwt"]
    assert causes(refusals) == ["id_token_hint_typ"]


# --- tolerated and ignored ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "ignored",
    [
        {"claims": '{"id_token":{"email":{"essential":true}}}'},
        {"claims": "{" * 3000},
        {"acr_values": "urn:x 1"},
        {"display": "popup"},
        {"ui_locales": "de en"},
        {"claims_locales": "de"},
        {"something": "else"},
    ],
)
def test_what_is_not_known_is_ignored(ignored, ask, push, consented, redeem):
    code = answer_in(ask(**ignored))["code"]
    assert "email" not in jose.decode_unverified(redeem(code).json["id_token"])[1]

    request_uri = push(scope="openid", **ignored).json["request_uri"]
    assert "code" in answer_in(consented.open({"client_id": APP_ID, "request_uri": request_uri}))
