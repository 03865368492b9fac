"""Sign-out that a client asks for (OpenID RP-Initiated Logout 1.0): who is signed out, asked, or sent where."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from flask_private_key_jwt.authorization_server.sign_out.sealed_hint import SealedHints
from flask_private_key_jwt.authorization_server.state import EXTENSION_KEY
from flask_private_key_jwt.authorization_server.tokens.id_token import IdTokenHint
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.derived import Secrets
from tests.authorization_server.conftest import APP_ID, BYE, REDIRECT_URI
from tests.authorization_server.sign_out.logout_browser import (
    BYE_WITH_STATE,
    LOGOUT,
    STATE,
    LogoutBrowser,
    assert_asked,
    assert_refused,
    assert_signed_out_page,
    build_id_token,
)
from tests.conftest import ISSUER


@pytest.fixture
def browser(app, leaver):
    return LogoutBrowser(app).sign_in()


@pytest.fixture
def stranger(app, leaver):
    """A browser at which nobody is signed in."""
    return LogoutBrowser(app)


@pytest.fixture
def hint(app, leaver):
    """The ID token of the person who is signed in."""
    return build_id_token(app)


# --- with a hint -------------------------------------------------------------------------------------------------
def test_hint_about_the_person_signs_out_at_once_and_back(browser, hint):
    answer = browser.leave(id_token_hint=hint, post_logout_redirect_uri=BYE, state=STATE)

    assert (answer.status_code, answer.headers["Location"]) == (303, BYE_WITH_STATE)
    assert not browser.is_signed_in()


def test_without_a_state_the_place_is_left_as_it_was_registered(browser, hint):
    assert browser.leave(id_token_hint=hint, post_logout_redirect_uri=BYE).headers["Location"] == BYE


@pytest.mark.parametrize("parameters", [{}, {"state": STATE}, {"post_logout_redirect_uri": ""}])
def test_without_a_place_to_go_there_is_a_page(parameters, browser, hint):
    assert_signed_out_page(browser.leave(id_token_hint=hint, **parameters))
    assert not browser.is_signed_in()


def test_expired_hint_is_as_good(browser, hint, clock):
    clock.move(30 * 86400)

    assert browser.leave(id_token_hint=hint, post_logout_redirect_uri=BYE).headers["Location"] == BYE
    assert not browser.is_signed_in()


def test_client_may_say_its_name_besides_and_what_changes_nothing(browser, hint):
    answer = browser.leave(
        id_token_hint=hint,
        client_id=APP_ID,
        post_logout_redirect_uri=BYE,
        logout_hint="alice@mail.example",
        ui_locales="de fr",
        unknown=["a", "b"],
    )

    assert answer.headers["Location"] == BYE
    assert not browser.is_signed_in()


def test_name_of_another_client_is_refused(browser, hint, register, client_key, refusals):
    register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, post_logout_redirect_uris=[BYE])

    answer = browser.leave(id_token_hint=hint, client_id="other", post_logout_redirect_uri=BYE)

    assert_refused(
        answer, refusals, "id_token_hint_other_client", says="id_token_hint was not issued to client_id 'other'"
    )
    assert browser.is_signed_in()


def test_hint_about_somebody_else_signs_nobody_out_unasked(app, browser):
    answer = browser.leave(id_token_hint=build_id_token(app, subject="bob"), post_logout_redirect_uri=BYE, state=STATE)

    assert_asked(answer)
    assert browser.is_signed_in()
    assert browser.decide(answer, "sign_out").headers["Location"] == BYE_WITH_STATE
    assert not browser.is_signed_in()


def test_with_a_hint_and_nobody_signed_in_the_way_back_is_open(stranger, hint):
    assert stranger.leave(id_token_hint=hint, post_logout_redirect_uri=BYE, state=STATE).headers["Location"] == (
        BYE_WITH_STATE
    )
    assert_signed_out_page(stranger.leave(id_token_hint=hint))


def test_id_token_that_came_with_the_code_is_a_hint(browser, redeem):
    location = browser.decide(browser.ask_for_code(scope="openid read")).headers["Location"]
    tokens = redeem(parse_qs(urlsplit(location).query)["code"][0]).json

    assert browser.leave(id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE).headers["Location"] == BYE
    assert not browser.is_signed_in()


# --- what is no hint ---------------------------------------------------------------------------------------------
def assert_is_no_hint(browser, text, refusals, cause, *, says=""):
    answer = browser.leave(id_token_hint=text, post_logout_redirect_uri=BYE, client_id=APP_ID)

    assert_refused(answer, refusals, cause, says=says)
    assert browser.is_signed_in()
    assert text not in answer.text
    assert text not in refusals[0]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("not.a.jwt", "id_token_hint_not_json"),
        ("é.é.é", "id_token_hint_malformed"),
        ("a" * 8193, "id_token_hint_too_long"),
        ("xxxxxxxx", "id_token_hint_malformed"),
    ],
)
def test_what_is_no_jwt_is_refused(text, cause, browser, refusals):
    assert_is_no_hint(browser, text, refusals, cause)


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256"])
def test_token_with_another_algorithm_in_its_header_is_refused(alg, browser, hint, refusals):
    _, payload, signature = hint.split(".")
    header = jose.b64url(json.dumps({"alg": alg}).encode())

    answer = browser.leave(id_token_hint=f"{header}.{payload}.{'' if alg == 'none' else signature}")

    assert (answer.status_code, len(refusals)) == (400, 1)
    assert browser.is_signed_in()


def test_token_with_another_signature_is_refused(browser, hint, refusals):
    header, payload, signature = hint.split(".")
    turned = "A" if signature[0] != "A" else "B"

    assert_is_no_hint(browser, f"{header}.{payload}.{turned}{signature[1:]}", refusals, "id_token_hint_signature")


def test_token_with_other_claims_is_refused(app, browser, hint, refusals):
    header, _, signature = build_id_token(app, subject="bob").split(".")

    assert_is_no_hint(browser, f"{header}.{hint.split('.')[1]}.{signature}", refusals, "id_token_hint_signature")


def test_token_that_another_key_signed_is_refused(browser, keys, refusals):
    claims = {"iss": ISSUER, "sub": "alice", "aud": APP_ID}
    forged = jose.sign({"typ": "JWT", "kid": "k"}, claims, keys("ES256", "forger"))

    assert_is_no_hint(
        browser, forged, refusals, "id_token_hint_no_key", says="id_token_hint: the issuer has no key with kid 'k'"
    )


def test_token_of_another_issuer_is_refused(app, browser, refusals):
    foreign = build_id_token(app, issuer="https://other.example")

    assert_is_no_hint(
        browser, foreign, refusals, "id_token_hint_iss", says="id_token_hint: iss 'https://other.example' is not"
    )


def test_access_token_is_refused(browser, get_access_token, refusals):
    assert_is_no_hint(
        browser,
        get_access_token(),
        refusals,
        "id_token_hint_typ",
        says="id_token_hint: typ 'at+jwt' is not absent or jwt",
    )


@pytest.fixture
def get_access_token(browser, redeem):
    def get_access_token():
        location = browser.decide(browser.ask_for_code()).headers["Location"]
        return redeem(parse_qs(urlsplit(location).query)["code"][0]).json["access_token"]

    return get_access_token


def test_assertion_of_the_client_is_refused(browser, build_assertion, refusals):
    assertion = build_assertion(iss=ISSUER, sub="alice", aud=APP_ID)

    assert_is_no_hint(browser, assertion, refusals, "id_token_hint_no_key")


@pytest.mark.parametrize("settings", [{"OAUTH2_KEY_ANNOUNCE_SECONDS": 900, "OAUTH2_KEY_SIGN_SECONDS": 1800}])
def test_token_whose_key_is_not_published_any_more_is_refused(app, browser, hint, clock, refusals):
    for _ in range(40):
        clock.move(86400)
        build_id_token(app)
    browser.sign_in()

    assert_is_no_hint(browser, hint, refusals, "id_token_hint_no_key")


# --- without a hint ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("parameters", [{}, {"state": STATE}, {"id_token_hint": ""}, {"client_id": APP_ID}])
def test_without_a_hint_the_person_is_asked(parameters, browser):
    page = browser.leave(**parameters)

    assert_asked(page)
    assert browser.is_signed_in()
    assert_signed_out_page(browser.decide(page, "sign_out"))
    assert not browser.is_signed_in()


def test_with_the_clients_name_only_the_way_back_opens_when_the_person_agrees(browser):
    page = browser.leave(client_id=APP_ID, post_logout_redirect_uri=BYE, state=STATE)

    assert_asked(page)
    assert browser.decide(page, "sign_out").headers["Location"] == BYE_WITH_STATE


def test_with_the_clients_name_only_and_nobody_to_ask_there_is_a_page(stranger):
    assert_signed_out_page(stranger.leave(client_id=APP_ID, post_logout_redirect_uri=BYE, state=STATE))


# --- where to go afterwards ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://evil.example/bye?tenant=1",
        "https://app.example/bye",
        "https://app.example/bye?tenant=1&foo=bar",
        "https://app.example/bye?tenant=1#",
        "https://app.example/bye/?tenant=1",
        "https://app.example:443/bye?tenant=1",
        "https://app.example@evil.example/bye?tenant=1",
        "https://app.example.evil.example/bye?tenant=1",
        "HTTPS://app.example/bye?tenant=1",
        "http://app.example/bye?tenant=1",
        "//app.example/bye?tenant=1",
        "/bye",
        "javascript:alert(1)",
        BYE + "\r\nSet-Cookie: a=b",
        BYE + "\x00",
        " " + BYE,
        REDIRECT_URI,
    ],
)
@pytest.mark.parametrize("known_by", ["hint", "name"])
def test_place_that_is_not_registered_is_refused(uri, known_by, browser, hint, refusals):
    known = {"id_token_hint": hint} if known_by == "hint" else {"client_id": APP_ID}

    answer = browser.leave(**known, post_logout_redirect_uri=uri, state=STATE)

    assert_refused(
        answer,
        refusals,
        "post_logout_redirect_uri_not_registered",
        says=f"post_logout_redirect_uri {uri!r} is not registered",
    )
    assert browser.is_signed_in()


@pytest.mark.parametrize("name", ["browser", "stranger"])
def test_place_of_nobody_is_refused(name, request, leaver, refusals):
    answer = request.getfixturevalue(name).leave(post_logout_redirect_uri=BYE)

    assert_refused(answer, refusals, "post_logout_redirect_uri_without_client")


@pytest.mark.parametrize(
    ("uri", "accepted"),
    [
        ("http://127.0.0.1/bye", True),
        ("http://127.0.0.1:49152/bye", True),
        ("com.example.app:/bye", True),
        ("http://127.0.0.1:49152/other", False),
        ("http://localhost:49152/bye", False),
        ("http://127.0.0.1:99999/bye", False),
        ("com.example.app:/other", False),
    ],
)
def test_port_of_a_native_clients_loopback_address_may_differ(uri, accepted, app, register, browser):
    register(
        client_id="native",
        token_endpoint_auth_method="none",
        application_type="native",
        grant_types=["authorization_code"],
        redirect_uris=["http://127.0.0.1/callback"],
        post_logout_redirect_uris=["http://127.0.0.1/bye", "com.example.app:/bye"],
    )
    hint = build_id_token(app, client_id="native")

    answer = browser.leave(id_token_hint=hint, post_logout_redirect_uri=uri, state="s")

    assert (answer.status_code, answer.headers.get("Location")) == (
        (303, f"{uri}?state=s") if accepted else (400, None)
    )
    assert browser.is_signed_in() != accepted


@pytest.mark.parametrize("name", ["nobody", "x" * 256, "\x00", " webapp"])
@pytest.mark.parametrize("uri", [{}, {"post_logout_redirect_uri": BYE}])
def test_client_that_is_not_registered_is_refused(name, uri, browser, refusals):
    assert_refused(
        browser.leave(client_id=name, **uri),
        refusals,
        "client_unknown",
        says=f"client {name[:100]!r} is not registered",
    )
    assert browser.is_signed_in()


@pytest.mark.parametrize("parameters", [{}, {"post_logout_redirect_uri": BYE}])
@pytest.mark.parametrize("known_by", ["hint", "name"])
def test_disabled_client_is_refused(parameters, known_by, app, oauth, browser, hint, refusals):
    with app.app_context():
        oauth.clients.disable(APP_ID)
    known = {"id_token_hint": hint} if known_by == "hint" else {"client_id": APP_ID}

    assert_refused(browser.leave(**known, **parameters), refusals, "client_disabled")
    assert browser.is_signed_in()


def test_client_that_was_removed_is_refused(app, oauth, browser, hint, refusals):
    with app.app_context():
        oauth.clients.remove(APP_ID)

    assert_refused(
        browser.leave(id_token_hint=hint), refusals, "client_unknown", says=f"client {APP_ID!r} is not registered"
    )


def test_state_that_fits_into_no_location_is_refused(browser, hint, refusals):
    answer = browser.leave(id_token_hint=hint, post_logout_redirect_uri=BYE, state="é" * 700)

    assert_refused(answer, refusals, "state_too_long", says="state is longer than 4096 bytes")


# --- posted ------------------------------------------------------------------------------------------------------
def test_posted_request_goes_on_where_cookies_come_along(browser, hint):
    form = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": STATE, "logout_hint": "alice"}

    onwards = browser.http.post(LOGOUT, data=form)

    assert onwards.status_code == 303
    location = onwards.headers["Location"]
    assert location.startswith(f"{LOGOUT}?")
    assert browser.is_signed_in()
    assert browser.http.get(location).headers["Location"] == BYE_WITH_STATE
    assert not browser.is_signed_in()


def test_posted_hint_is_in_no_url_and_nothing_about_the_person(browser, hint):
    onwards = browser.http.post(LOGOUT, data={"id_token_hint": hint, "logout_hint": "alice"}).headers["Location"]

    assert set(parse_qs(urlsplit(onwards).query)) == {"client_id", "sealed_hint"}
    assert hint not in onwards
    assert "alice" not in onwards


def test_posted_request_leaves_the_session_alone(stranger, hint):
    """Another site's form comes without the session cookie: a new one would take the place of the real one."""
    onwards = stranger.http.post(LOGOUT, data={"id_token_hint": hint})

    assert "Set-Cookie" not in onwards.headers


def test_posted_hint_about_somebody_else_signs_nobody_out_unasked(app, browser):
    form = {"id_token_hint": build_id_token(app, subject="bob"), "post_logout_redirect_uri": BYE}

    page = browser.http.get(browser.http.post(LOGOUT, data=form).headers["Location"])

    assert_asked(page)
    assert browser.is_signed_in()


@pytest.mark.parametrize(("seconds", "asked"), [(59, False), (60, True)])
def test_posted_hint_counts_for_a_minute(seconds, asked, browser, hint, clock):
    onwards = browser.http.post(LOGOUT, data={"id_token_hint": hint, "post_logout_redirect_uri": BYE})
    clock.move(seconds)

    answer = browser.http.get(onwards.headers["Location"])

    assert ("decision_token" in answer.text, browser.is_signed_in()) == (asked, asked)


def test_seal_is_not_renewed_by_posting_it(browser, hint, clock):
    onwards = browser.http.post(LOGOUT, data={"id_token_hint": hint}).headers["Location"]
    clock.move(59)

    again = browser.http.post(LOGOUT, data=parse_qs(urlsplit(onwards).query)).headers["Location"]

    assert again == f"{LOGOUT}?client_id={APP_ID}"
    assert_asked(browser.http.get(again))
    assert browser.is_signed_in()


@pytest.mark.parametrize("sealed", ["x", "é", "gAAAAA", "A" * 200, "\x00"])
def test_made_up_seal_is_no_hint(sealed, browser):
    assert_asked(browser.leave(client_id=APP_ID, sealed_hint=sealed, post_logout_redirect_uri=BYE))
    assert browser.is_signed_in()


def test_seal_of_an_older_secret_counts_and_of_a_foreign_one_does_not():
    old, new, foreign = ("o" * 32,), ("n" * 32,), ("f" * 32,)
    hint = IdTokenHint('al"ié', "webapp")
    sealed = SealedHints(Secrets(old)).seal(hint)

    assert SealedHints(Secrets(new + old)).find(sealed) == hint
    assert SealedHints(Secrets(foreign)).find(sealed) is None


def test_posted_token_that_is_no_hint_is_refused_at_once(browser, refusals):
    answer = browser.http.post(LOGOUT, data={"id_token_hint": "x", "post_logout_redirect_uri": BYE})

    assert_refused(answer, refusals, "id_token_hint_malformed")


def test_parameters_of_the_url_do_not_count_in_a_post(browser, hint):
    onwards = browser.http.post(f"{LOGOUT}?id_token_hint={hint}", data={"state": "s"})

    assert onwards.headers["Location"] == f"{LOGOUT}?state=s"


# --- what cannot be read -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parameter_sent_twice_is_refused(name, method, browser, refusals):
    sent = {name: ["a", "b"]}

    answer = browser.leave(**sent) if method == "GET" else browser.http.post(LOGOUT, data=sent)

    assert_refused(answer, refusals, "parameter_repeated", says=f"parameter {name!r} is sent more than once")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("state=%FF", "the query cannot be parsed: UnicodeDecodeError"),
        ("&".join(f"p{n}=" for n in range(65)), "the query cannot be parsed: ValueError"),
    ],
)
def test_query_that_cannot_be_read_is_refused(query, reason, browser, refusals):
    assert_refused(browser.http.get(f"{LOGOUT}?{query}"), refusals, "query_malformed", says=reason)
    assert browser.is_signed_in()


@pytest.mark.parametrize(
    ("form", "status", "cause", "says"),
    [
        ({"data": {"state": "x" * 65536}}, 413, "body_too_large", "the body is longer than 65536 bytes"),
        ({"data": {f"p{n}": "x" for n in range(65)}}, 400, "form_too_many", "the form has more than 64 parameters"),
        ({"json": {"client_id": APP_ID}}, 400, "content_type", "content type 'application/json' is not"),
        ({}, 400, "content_type", "content type '' is not"),
    ],
)
def test_form_that_cannot_be_read_is_refused(form, status, cause, says, browser, refusals):
    assert_refused(browser.http.post(LOGOUT, **form), refusals, cause, status, says=says)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_change_nothing(method, browser, hint):
    answer = browser.http.open(f"{LOGOUT}?id_token_hint={hint}", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert browser.is_signed_in()


def test_store_that_does_not_answer_is_a_page(app, browser, hint, refusals, monkeypatch):
    def fail(_client_id):
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(app.extensions[EXTENSION_KEY].server.clients, "find", fail)

    answer = browser.leave(id_token_hint=hint)

    assert_refused(answer, refusals, "store_unavailable", status=503, says="the database is away")
    assert answer.headers["Retry-After"] == "5"
    assert browser.is_signed_in()


# --- what everybody sees -------------------------------------------------------------------------------------------
def test_every_answer_has_the_headers_for_pages(browser, stranger, hint):
    page = browser.leave(client_id=APP_ID)
    answers = [
        page,
        browser.decide(page, "stay"),
        browser.leave(client_id="nobody"),
        browser.http.post(LOGOUT, data={"id_token_hint": hint}),
        stranger.leave(),
        browser.leave(id_token_hint=hint, post_logout_redirect_uri=BYE),
    ]

    for answer in answers:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_hint_is_in_no_page_no_log_and_no_session(app, browser, caplog):
    caplog.set_level(0)
    hint = build_id_token(app, subject="bob")

    page = browser.leave(id_token_hint=hint, post_logout_redirect_uri=BYE)
    refused = browser.leave(id_token_hint=hint, post_logout_redirect_uri=f"{BYE}&id_token_hint={hint}")

    with browser.http.session_transaction() as session:
        texts = [page.text, refused.text, caplog.text, repr(dict(session))]
    assert refused.status_code == 400
    assert not [text for text in texts if hint[:40] in text or "bob" in text]


def test_names_stand_apart_from_the_text_around_them(browser):
    page = browser.sign_in("<i>alice<i>").leave(client_id=APP_ID, post_logout_redirect_uri=BYE)

    assert "You are signed in as <bdi>&lt;i&gt;alice&lt;i&gt;</bdi>." in page.text
    assert "<bdi>The &lt;b&gt;App&lt;/b&gt;</bdi> asks to sign you out here." in page.text
    assert BYE in page.text
