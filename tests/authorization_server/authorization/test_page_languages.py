"""In which language a page is: the client's wish, Flask-Babel, the browser."""

import flask
import flask_babel
import pytest

from tests.authorization_server.conftest import build_request
from tests.authorization_server.sign_out.logout_browser import LOGOUT
from tests.authorization_server.wording.test_catalogues import write_catalogue

HEADINGS = {
    "en": "<h1>Allow <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>?</h1>",
    "de": "<h1>Zugriff erlauben für <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>?</h1>",
    "es": "<h1>¿Permitir el acceso a <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>?</h1>",
    "fr": "<h1>Autoriser <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>\u202f?</h1>",
}


def language_of(page):
    language = page.text.partition('<html lang="')[2].partition('"')[0]
    if "decision_token" in page.text:
        assert HEADINGS[language] in page.text
    return language


@pytest.fixture
def open_page(browser, webapp):
    """The consent page for a browser with such a header, and a request with such a wish."""
    browser.sign_in()

    def open_page(accepted="", **changes):
        browser.http.environ_base["HTTP_ACCEPT_LANGUAGE"] = accepted
        return browser.open(build_request(**changes))

    return open_page


@pytest.mark.parametrize(
    ("ui_locales", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        (None, "tlh, es;q=0.5, de;q=0.7", "de"),
        (None, "de;q=0, en", "en"),
        ("de-CH", "fr", "de"),
        ("tlh es", "fr", "es"),
        ("en fr", "fr", "en"),
        ("tlh", "fr", "fr"),
        ('"><script>', "fr", "fr"),
        ("x" * 5000 + " de", "fr", "fr"),
        (" ".join(["tlh"] * 400) + " de", "fr", "fr"),
        (None, "\x7f;;q=,=", "en"),
        (None, "fr," * 2000, "fr"),
    ],
)
def test_wish_of_the_client_comes_before_the_browsers(ui_locales, accepted, language, open_page):
    page = open_page(accepted, ui_locales=ui_locales)

    assert page.status_code == 200
    assert language_of(page) == language
    assert "<script>" not in page.text


def test_pushed_request_has_its_language(browser, push):
    uri = push(ui_locales="de " + "fr " * 300).json["request_uri"]

    page = browser.sign_in().open({"client_id": "webapp", "request_uri": uri})

    assert language_of(page) == "de"


def test_signed_request_has_its_language_and_the_url_does_not_count(open_object, browser):
    browser.sign_in()

    assert language_of(open_object(ui_locales="es", beside={"ui_locales": "de"})) == "es"


@pytest.mark.parametrize("ui_locales", ["de", "x" * 3000])
def test_refusal_is_in_the_clients_language_too(ui_locales, open_page):
    page = open_page("de", client_id="nobody", ui_locales=ui_locales)

    assert (page.status_code, language_of(page)) == (400, "de")
    assert "<h1>Diese Anwendung ist hier nicht bekannt</h1>" in page.text


def test_sign_out_is_in_the_clients_language(browser, leaver):
    page = browser.sign_in().http.get(f"{LOGOUT}?ui_locales=fr")
    assert "<h1>Se déconnecter\u202f?</h1>" in page.text

    assert "Vous êtes toujours connecté" in browser.decide(page, "stay").text


def test_posted_sign_out_keeps_its_language(browser, leaver):
    answer = browser.sign_in().http.post(LOGOUT, data={"ui_locales": "fr <x>"})

    assert answer.headers["Location"] == f"{LOGOUT}?ui_locales=fr"


def test_machines_are_answered_in_english(app):
    answer = app.test_client().post("/oauth2/token", headers={"Accept-Language": "de"})

    assert answer.json["error_description"].isascii()
    assert "request" in answer.json["error_description"]


def test_metadata_names_the_languages(app, people):
    document = app.test_client().get("/.well-known/oauth-authorization-server").json

    assert document["ui_locales_supported"] == ["en", "de", "es", "fr"]


@pytest.mark.parametrize("settings", [{"OAUTH2_LANGUAGES": ["es", "de"]}])
def test_site_has_the_languages_that_the_operator_chose(app, open_page):
    assert [language_of(open_page(wish)) for wish in ("fr", "de-AT", "en")] == ["es", "de", "es"]
    document = app.test_client().get("/.well-known/oauth-authorization-server").json
    assert document["ui_locales_supported"] == ["es", "de"]


# --- the application's own pages ------------------------------------------------------------------------------------
@pytest.fixture
def sign_in_page(app):
    """A sign-in page of the application, with our frame."""

    @app.get("/own-sign-in")
    def own_sign_in():
        return flask.render_template_string('{% extends "private_key_jwt/sign_in_frame.html" %}')


def test_sign_in_page_has_the_language_of_the_request_that_it_is_for(browser, webapp, sign_in_page):
    assert "<h1>Sign in</h1>" in browser.http.get("/own-sign-in").text

    browser.open(build_request(ui_locales="de"))
    assert "<h1>Anmelden</h1>" in browser.http.get("/own-sign-in").text

    browser.decide(browser.sign_in().open(build_request(ui_locales="de")))
    assert "<h1>Sign in</h1>" in browser.http.get("/own-sign-in").text


def test_sign_in_function_learns_the_languages(oauth, browser, webapp):
    seen = []
    oauth.sign_in(lambda page: seen.append(page) or "")

    browser.open(build_request(ui_locales="tlh de-CH"))

    assert seen[0].ui_locales == ("tlh", "de-CH")


@pytest.mark.parametrize(("ui_locales", "language"), [(None, "es"), ("de", "de")])
def test_flask_babel_comes_before_the_browser_and_after_the_client(ui_locales, language, app, open_page):
    flask_babel.Babel(app, locale_selector=lambda: "es_MX")

    assert language_of(open_page("fr", ui_locales=ui_locales)) == language


def test_catalogues_of_flask_babel_are_used(app, open_page, tmp_path):
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(write_catalogue(tmp_path, "de", Allow="Ja gern"))
    flask_babel.Babel(app)

    page = open_page(ui_locales="de")

    assert "<span>Ja gern</span></button>" in page.text
    assert "<span>Ablehnen</span></button>" in page.text


OWN = '{% extends "private_key_jwt/page.html" %}{% block content %}{{ _("Allow") }}{% endblock %}'


def test_words_of_flask_babel_in_the_applications_own_templates_stay(app, people):
    flask_babel.Babel(app, locale_selector=lambda: "de")
    app.add_url_rule("/own", "own", lambda: flask.render_template_string(OWN))

    page = app.test_client().get("/own")

    assert '<html lang="de"' in page.text
    assert "\nAllow\n" in page.text


@pytest.mark.parametrize("language", ["de", "en", "es", "fr"])
def test_no_word_changes_which_button_is_which(language, open_page):
    text = open_page(ui_locales=language).text

    allow, deny = text.index('name="decision" value="allow"'), text.index('name="decision" value="deny"')
    assert 0 < allow < deny
    assert 'class="oauth-primary" name="decision" value="allow"' in text
    assert 'class="oauth-secondary" name="decision" value="deny"' in text


@pytest.mark.parametrize("settings", [{"OAUTH2_TRANSLATIONS": ["words"]}])
def test_folder_of_the_setting_is_relative_to_the_app(app, open_page, tmp_path):
    app.root_path = str(tmp_path)
    write_catalogue(tmp_path / "words", "ar", Allow="نعم")

    page = open_page(ui_locales="ar-EG")

    assert '<html lang="ar" dir="rtl"' in page.text
    assert "<span>نعم</span></button>" in page.text
    assert "<span>Deny</span></button>" in page.text


@pytest.mark.parametrize("settings", [{"OAUTH2_TRANSLATIONS": ["no-such-folder"]}])
def test_folder_without_a_catalogue_is_told(open_page, caplog):
    assert language_of(open_page("de")) == "de"
    assert "OAUTH2_TRANSLATIONS names 'no-such-folder', where there is no" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {
            "OAUTH2_SCOPE_DESCRIPTIONS": {
                "read": {"de": "Alles lesen", "en": "Read all"},
                "https://api.example": "The <API>",
            }
        }
    ],
)
def test_scopes_and_resources_are_put_in_words(oauth, open_page):
    page = open_page(ui_locales="de")
    assert "<span>Alles lesen</span></li>" in page.text
    assert "<dd>The &lt;API&gt; <small><bdi>https://api.example</bdi></small></dd>" in page.text

    oauth.describe_scope(lambda name, language: f"{language}: {name} & more" if name == "read" else None)
    assert "<span>de: read &amp; more</span></li>" in open_page(ui_locales="de").text


def test_another_clients_request_does_not_decide_the_language_of_this_one(app, oauth, webapp, browser):
    app.register_blueprint(oauth.connected_applications())
    browser.sign_in().open(build_request())
    browser.open(build_request(state="other", ui_locales="fr"))

    for page in (browser.open(build_request()), browser.http.get("/connected-applications")):
        assert '<html lang="en"' in page.text
