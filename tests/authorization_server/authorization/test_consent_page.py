"""The consent page: it shows the client and the person."""

import pytest

from flask_private_key_jwt.authorization_server.authorization.interaction import ConsentPage
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, build_request


def test_names_stand_apart_from_the_text_around_them(browser, webapp):
    page = browser.sign_in("<i>alice<i>").open(build_request())

    assert "<h1>Allow <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>?</h1>" in page.text
    assert "You are signed in as <bdi>&lt;i&gt;alice&lt;i&gt;</bdi>." in page.text


def show(*scopes):
    page = ConsentPage(None, None, scopes, (), "https://app.example/", "/", "token")
    return [page.describe(scope) for scope in scopes]


@pytest.mark.parametrize("scope", ["openid", "profile", "email", "address", "phone", "offline_access"])
def test_scopes_of_openid_connect_are_put_in_words(scope):
    assert " " in show("openid", scope)[1]


def test_scopes_of_the_applications_own_are_shown_as_they_are():
    assert show("openid", "read:all")[1:] == ["read:all"]


def test_without_openid_scopes_mean_what_the_application_means_by_them():
    assert show("email", "phone") == ["email", "phone"]


def test_page_says_what_is_allowed_in_words(browser, openid_app):
    page = browser.sign_in().open(build_request(scope="openid email read"))

    for words in ("Who you are: the identifier of your account", "Your email address", "read"):
        assert f"<span>{words}</span></li>" in page.text


def test_scope_is_escaped(browser, register, client_key, people):
    register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=[REDIRECT_URI],
        scope="<b>&x",
    )

    page = browser.sign_in().open(build_request(scope="<b>&x"))

    assert "<span>&lt;b&gt;&amp;x</span></li>" in page.text


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ({"name": "Alice", "username": "al"}, "Alice"),
        ({"name": " ", "username": "al", "email": "al@mail.example"}, "al"),
        ({"name": None, "email": "al@mail.example"}, "al@mail.example"),
        ({"name": lambda: "Alice"}, "7"),
        ({}, "7"),
    ],
)
def test_person_is_named_as_the_user_object_allows(known, shown):
    user = type("Account", (), {"get_id": lambda self: 7})()
    for name, value in known.items():
        setattr(user, name, value)

    page = ConsentPage(None, user, (), (), "https://app.example/", "/", "token")

    assert page.signed_in_as == shown


# --- what the client registered about itself ------------------------------------------------------------------------
LOGO = "https://cdn.app.example:8443/logo.png?a=1&b=2"
PAGES = {
    "client_uri": "https://app.example/?a=1&b=2",
    "tos_uri": "https://app.example/terms",
    "policy_uri": "https://app.example/privacy",
    "logo_uri": LOGO,
}


@pytest.fixture
def show_consent(app, oauth, browser, webapp):
    """The consent page of the usual client with such members."""

    def show_consent(*, vouched=True, **members):
        with app.app_context():
            oauth.clients.update(APP_ID, members)
            oauth.clients.vouch(APP_ID, vouched=vouched)
        return browser.sign_in().open(build_request())

    return show_consent


@pytest.mark.parametrize("vouched", [True, False])
def test_terms_and_policy_are_links_that_take_nothing_along(vouched, show_consent):
    page = show_consent(vouched=vouched, **PAGES)

    for member in ("client_uri", "tos_uri", "policy_uri"):
        uri = PAGES[member].replace("&", "&amp;")
        assert f'<a href="{uri}" target="_blank" rel="noopener noreferrer">' in page.text


def test_page_of_a_client_that_registered_none_has_no_links(show_consent):
    page = show_consent()

    assert "<a " not in page.text
    assert "<img" not in page.text


def test_logo_of_the_operators_own_client_is_shown_and_nothing_else_loads(show_consent):
    page = show_consent(**PAGES)

    assert f'<img src="{LOGO.replace("&", "&amp;")}" alt=""' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "; img-src 'self' https://cdn.app.example:8443" in policy
    assert policy.count("https:") == 1
    assert "default-src 'self'" in policy


def test_logo_of_a_stranger_is_not_shown(show_consent):
    page = show_consent(vouched=False, **PAGES)

    assert "<img" not in page.text
    assert "img-src" not in page.headers["Content-Security-Policy"]


def test_logo_that_does_not_come_by_https_is_not_shown(show_consent):
    page = show_consent(logo_uri="http://cdn.app.example/logo.png")

    assert "<img" not in page.text
    assert "img-src" not in page.headers["Content-Security-Policy"]


def test_policy_of_the_applications_own_page_stays(oauth, show_consent):
    @oauth.consent
    def consent(page):
        return page.logo_uri, {"Content-Security-Policy": "default-src 'none'"}

    page = show_consent(**PAGES)

    assert (page.text, page.headers["Content-Security-Policy"]) == (LOGO, "default-src 'none'")


def test_other_pages_load_no_pictures_from_elsewhere(browser, show_consent):
    answer = browser.decide(show_consent(**PAGES))

    assert "img-src" not in answer.headers["Content-Security-Policy"]


# --- clients that nobody vouches for --------------------------------------------------------------------------------
@pytest.fixture
def show_stranger(app, oauth, people, register, browser):
    """The consent page of a public client that registered itself; the first redirect URI gets the answer."""

    def show_stranger(*redirect_uris, vouched=False, **members):
        client = register(
            token_endpoint_auth_method="none",
            application_type="native",
            grant_types=["authorization_code"],
            redirect_uris=[*redirect_uris],
            scope="read",
            **members,
        )
        with app.app_context():
            oauth.clients.vouch(client.client_id, vouched=vouched)
        request = build_request(client_id=client.client_id, redirect_uri=redirect_uris[0])
        return browser.sign_in().open(request).text

    return show_stranger


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:8080/cb", "com.example.app:/cb"]
)
def test_stranger_that_only_this_device_can_answer_is_warned_about(uri, show_stranger):
    warning = "any program can pretend to be this application"

    assert warning in show_stranger(uri)
    assert warning not in show_stranger(uri, "https://app.example/callback")
    assert warning not in show_stranger(uri, vouched=True)


def test_name_of_a_stranger_is_its_own_word_and_that_of_a_client_of_the_operators_is_its_name(show_stranger):
    stranger = show_stranger("https://app.example/cb", client_name="Your Bank")
    own = show_stranger("https://app.example/cb", client_name="Your Bank", vouched=True)

    assert "<h1>Allow <bdi>an application that registered itself</bdi>?</h1>" in stranger
    assert "It calls itself <q><bdi>Your Bank</bdi></q>." in stranger
    assert "<h1>Allow <bdi>Your Bank</bdi>?</h1>" in own
    assert "calls itself" not in own


@pytest.mark.parametrize(
    ("uri", "place"),
    [("https://app.example:8443/cb?a=b", "app.example:8443"), ("com.example.app:/cb", "com.example.app")],
)
def test_page_names_where_the_answer_goes(uri, place, show_stranger):
    assert f"<dt>Your answer goes to</dt><dd><strong><bdi>{place}</bdi></strong>" in show_stranger(uri)
