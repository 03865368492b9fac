"""The web application against a token server that says whatever a test wants: what it believes, shows and keeps."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from demo.web_client import create_app, memory
from demo.web_client.memory import MOST_ENTRIES, Memory
from demo.web_client.pages import MOST_SIGN_INS_UNDER_WAY
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.at_hash import build_at_hash
from tests.servers.ports import free_port

WEB = "http://127.0.0.1:5010"
NOT_OURS = "This answer does not belong to a sign-in that was begun in this browser."


@dataclass
class Provider:
    """A token server and an API in one, that keeps what it was asked."""

    key: jose.PrivateKey
    url: str = ""
    metadata: dict = field(default_factory=dict)
    """Members to change; ``None`` leaves one out."""
    tokens: dict = field(default_factory=dict)
    """Members of the token response to change; ``None`` leaves one out."""
    claims: dict = field(default_factory=dict)
    """Claims of the ID token to change; ``None`` leaves one out."""
    header: dict = field(default_factory=dict)
    userinfo: dict = field(default_factory=lambda: {"sub": "s-1", "name": "Alice <b>Liddell</b>"})
    answers: dict = field(default_factory=dict)
    """Path -> what is answered in the place of the usual."""
    nonce: str = ""
    issued: int = 0
    calls: list = field(default_factory=list)

    def __call__(self, environ, start_response):
        request = Request(environ)
        self.calls.append((request.path, dict(request.form), request.headers.get("Authorization")))
        answer = self.answers.get(request.path) or self.answer(request)
        return answer(environ, start_response)

    def answer(self, request):
        usual = {
            "/.well-known/openid-configuration": self.describe,
            "/jwks": lambda: {"keys": [self.key.public_jwk()]},
            "/token": self.issue,
            "/userinfo": lambda: self.userinfo,
            "/revoke": dict,
            "/api/values": lambda: ["one", "<i>two</i>"],
        }
        return as_json(usual[request.path]())

    def describe(self):
        endpoints = {
            "jwks_uri": "jwks",
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "revocation_endpoint": "revoke",
            "end_session_endpoint": "logout",
        }
        members = {name: f"{self.url}/{path}" for name, path in endpoints.items()}
        return without_none({"issuer": self.url, **members, **self.metadata})

    def issue(self):
        self.issued += 1
        tokens = {"access_token": "at-1", "refresh_token": f"rt-{self.issued}"}
        members = {**tokens, "token_type": "Bearer", "expires_in": 600}
        return without_none({**members, "id_token": self.make_id_token(), **self.tokens})

    def make_id_token(self):
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "s-1",
            "aud": "web-client",
            "iat": now,
            "exp": now + 600,
            "nonce": self.nonce,
            "at_hash": build_at_hash("at-1", self.key.alg),
        }
        kid = self.key.public.thumbprint
        return jose.sign({"typ": "JWT", "kid": kid, **self.header}, without_none({**claims, **self.claims}), self.key)

    def paths(self):
        return [path for path, _, _ in self.calls]

    def forms(self, path):
        return [form for called, form, _ in self.calls if called == path]


def as_json(data, status=200):
    return Response(json.dumps(data), status=status, content_type="application/json")


def without_none(members):
    return {name: value for name, value in members.items() if value is not None}


@pytest.fixture
def provider(keys):
    found = Provider(keys("ES256", "provider"))
    server = make_server("127.0.0.1", 0, found, threaded=True)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(provider, prepared_folder, monkeypatch):
    monkeypatch.setattr("demo.clients.FOLDER", prepared_folder)
    monkeypatch.setenv("FLASK_OAUTH2_ISSUER", provider.url)
    monkeypatch.setenv("FLASK_OAUTH2_RESOURCE", provider.url)
    monkeypatch.delenv("FLASK_SECRET_KEY", raising=False)
    return create_app()


class Browser:
    """Somebody at the web application, who comes back from the token server when the test says so."""

    def __init__(self, app, provider):
        self.http = app.test_client()
        self.provider = provider

    def get(self, path, **options):
        return self.http.get(path, base_url=WEB, **options)

    def post(self, path, **form):
        return self.http.post(path, data=form, base_url=WEB)

    def begin(self):
        """Start to sign in; what the token server is asked."""
        asked = dict(parse_qsl(urlsplit(self.get("/login").location).query))
        self.provider.nonce = asked["nonce"]
        return asked

    def come_back(self, asked, **changes):
        answer = {"code": "c-1", "state": asked["state"], "iss": self.provider.url, **changes}
        return self.get(f"/callback?{urlencode(without_none(answer))}")

    def sign_in(self):
        return self.come_back(self.begin())

    def sign_out(self, page="/"):
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text)[1]
        return self.post("/logout", csrf_token=token)

    def is_signed_in(self):
        return "You are signed in as" in self.get("/").text

    def cookie(self):
        return self.http.get_cookie("demo_web_client", domain="127.0.0.1")


@pytest.fixture
def browser(app, provider):
    return Browser(app, provider)


def person_of(app):
    """The one who is signed in."""
    ((_, person),) = app.extensions["demo_web_client"].people._memory._entries.values()
    return person


def alert(page):
    return re.findall(r'role="alert">([^<]*)', page.text)


# --- sign-in --------------------------------------------------------------------------------------------
def test_the_request_has_state_nonce_and_pkce(browser):
    asked = browser.begin()

    assert asked["client_id"] == "web-client"
    assert asked["redirect_uri"] == f"{WEB}/callback"
    assert asked["scope"] == "openid profile email mobile"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 20


def test_the_code_is_redeemed_with_an_assertion_in_the_place_of_a_secret(browser, provider):
    browser.sign_in()

    (form,) = provider.forms("/token")
    assertion = jose.parse(form["client_assertion"], max_bytes=8192)
    assert sorted(form) == [
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "code",
        "code_verifier",
        "grant_type",
        "redirect_uri",
    ]
    assert assertion.claims["aud"] == provider.url
    assert assertion.claims["exp"] - assertion.claims["iat"] == 60
    assert [authorization for path, _, authorization in provider.calls if path == "/token"] == [None]


def test_whoever_comes_back_is_signed_in(browser):
    answer = browser.sign_in()

    assert (answer.status_code, answer.location) == (303, "/me")
    assert browser.is_signed_in()


def test_the_page_shows_id_token_userinfo_and_the_api(browser, provider):
    browser.sign_in()

    page = browser.get("/me").text

    assert f"<dt>iss</dt><dd><bdi>{provider.url}</bdi></dd>" in page
    assert "<dt>name</dt><dd><bdi>Alice &lt;b&gt;Liddell&lt;/b&gt;</bdi></dd>" in page
    assert "<li>&lt;i&gt;two&lt;/i&gt;</li>" in page
    assert [call for call in provider.calls if call[0] == "/api/values"] == [("/api/values", {}, "Bearer at-1")]


@pytest.mark.parametrize("status", [401, 500])
def test_an_api_that_refuses_is_shown_with_its_status(browser, provider, status):
    browser.sign_in()
    provider.answers["/api/values"] = as_json({"error": "invalid_token"}, status)

    page = browser.get("/me")

    assert page.status_code == 200
    assert f"/api/values: {status}" in page.text


def test_an_api_that_says_nothing_readable_is_a_sentence(browser, provider):
    browser.sign_in()
    provider.answers["/api/values"] = Response("<html>")

    assert alert(browser.get("/me")) == ["It gave no answer. Is it running?"]


@pytest.mark.parametrize(("data", "shown"), [(5, "<p>5</p>"), ("x", '<p>"x"</p>'), (None, "<p>null</p>"), ([], "<ul>")])
def test_an_api_may_say_anything(browser, provider, data, shown):
    browser.sign_in()
    provider.answers["/api/values"] = as_json(data)

    page = browser.get("/me")

    assert page.status_code == 200
    assert shown in page.text


def test_nobody_sees_the_page_of_nobody(browser, provider):
    answer = browser.get("/me")

    assert (answer.status_code, answer.location) == (303, "/")
    assert provider.calls == []


# --- what is not believed -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "guessed"}, NOT_OURS),
        ({"state": None}, NOT_OURS),
        ({"iss": "https://evil.example"}, "This answer comes from another server"),
        ({"iss": None}, "This answer comes from another server"),
        ({"code": None, "error": "access_denied"}, "You did not allow it, so you are not signed in."),
        ({"code": None, "error": "server_error"}, "The token server refused, with the error server_error."),
        ({"code": None, "error": '"><script>'}, "The token server refused, with the error unknown."),
        ({"code": None, "error": "access_denied", "state": "guessed"}, NOT_OURS),
    ],
)
def test_an_answer_that_was_not_due_is_refused(browser, provider, changes, sentence):
    answer = browser.come_back(browser.begin(), **changes)

    assert answer.status_code == 403
    assert alert(answer)[0].startswith(sentence)
    assert provider.forms("/token") == []
    assert not browser.is_signed_in()


def test_an_answer_in_another_browser_is_refused(browser, app, provider):
    asked = browser.begin()

    answer = Browser(app, provider).come_back(asked)

    assert (answer.status_code, provider.forms("/token")) == (403, [])


def test_an_answer_counts_once(browser, provider):
    asked = browser.begin()
    browser.come_back(asked)

    assert browser.come_back(asked).status_code == 403
    assert len(provider.forms("/token")) == 1


def test_an_answer_with_a_parameter_twice_is_refused(browser, provider):
    asked = browser.begin()
    query = urlencode([("code", "c-1"), ("code", "c-2"), ("state", asked["state"]), ("iss", provider.url)])

    assert browser.get(f"/callback?{query}").status_code == 403
    assert provider.forms("/token") == []


def test_an_answer_that_comes_after_an_hour_is_refused(browser, monkeypatch):
    asked = browser.begin()
    monkeypatch.setattr("demo.web_client.memory.time", lambda: time.time() + 3601)

    assert browser.come_back(asked).status_code == 403


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"iss": "https://evil.example"}, 502),
        ({"iss": None}, 502),
        ({"aud": "other-client"}, 502),
        ({"aud": "other-client", "azp": "web-client"}, 502),
        ({"aud": None}, 502),
        ({"sub": None}, 502),
        ({"exp": 1}, 502),
        ({"exp": None}, 502),
        ({"nonce": "another"}, 502),
        ({"nonce": None}, 502),
        ({"at_hash": "another"}, 502),
    ],
)
def test_an_id_token_that_does_not_say_what_it_must_is_refused(browser, provider, claims, status):
    provider.claims = claims

    answer = browser.sign_in()

    assert answer.status_code == status
    assert alert(answer) == ["The token server&#39;s ID token is not acceptable. You are not signed in."]
    assert not browser.is_signed_in()


def test_an_id_token_of_another_key_is_refused(browser, provider, keys):
    browser.begin()
    provider.answers["/jwks"] = as_json({"keys": [keys("ES256", "other").public_jwk()]})

    assert browser.sign_in().status_code == 502
    assert not browser.is_signed_in()


@pytest.mark.parametrize("keys_", [{"keys": "x"}, {"keys": []}, {"keys": [5]}, {}, [], {"keys": [{"kty": "x"}]}])
def test_keys_of_no_form_are_a_sentence(browser, provider, keys_):
    provider.answers["/jwks"] = as_json(keys_)

    answer = browser.sign_in()

    assert answer.status_code in (403, 502)
    assert len(alert(answer)) == 1
    assert not browser.is_signed_in()


def test_an_unsigned_id_token_is_refused(browser, provider):
    asked = browser.begin()
    _, payload, _ = provider.make_id_token().split(".")
    header = jose.b64url(b'{"alg":"none"}')
    provider.tokens = {"id_token": f"{header}.{payload}."}

    assert browser.come_back(asked).status_code == 502
    assert not browser.is_signed_in()


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (as_json({"error": "invalid_client"}, 400), 403, "does not accept this application&#39;s signature"),
        (as_json({"error": "invalid_grant"}, 400), 403, "This sign-in has ended."),
        (as_json({"error": ["x"]}, 400), 403, "with the error unknown"),
        (as_json({"access_token": "at-1", "token_type": "Bearer", "userinfo": {"sub": "s-1"}}), 403, "who you are"),
        (as_json({"access_token": "at-1", "token_type": "Bearer", "id_token": None}), 403, "cannot be used"),
        (as_json({"access_token": "at-1", "token_type": "Bearer", "id_token": "x"}), 502, "ID token is not"),
        (as_json({}), 403, "who you are"),
        (as_json([]), 403, "cannot be used"),
        (Response("<html>"), 403, "cannot be used"),
        (as_json({"error": "x"}, 500), 502, "answered with the status 500"),
        (Response("away", 503), 502, "answered with the status 503"),
    ],
)
def test_a_token_response_that_cannot_be_used_is_a_sentence(browser, provider, answer, status, sentence):
    provider.answers["/token"] = answer

    page = browser.sign_in()

    assert page.status_code == status
    assert sentence in page.text
    assert not browser.is_signed_in()


@pytest.mark.parametrize("info", [{"sub": "somebody else"}, {}, [], "s-1"])
def test_userinfo_of_somebody_else_is_refused(browser, provider, info):
    provider.userinfo = info

    answer = browser.sign_in()

    assert answer.status_code == 403
    assert "told of two different people" in answer.text
    assert not browser.is_signed_in()


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"issuer": "https://evil.example"}, "This answer comes from another server"),
        ({"authorization_endpoint": None}, "The token server does not offer what a sign-in needs."),
        ({"authorization_endpoint": 5}, "The token server does not offer what a sign-in needs."),
    ],
)
def test_metadata_that_cannot_be_used_are_a_sentence(browser, provider, metadata, sentence):
    provider.metadata = metadata

    answer = browser.get("/login")

    assert answer.status_code == 403
    assert alert(answer)[0].startswith(sentence)


def test_metadata_of_another_server_are_fetched_again(browser, provider):
    provider.metadata = {"issuer": "https://evil.example"}
    assert browser.get("/login").status_code == 403
    provider.metadata = {}

    assert browser.sign_in().status_code == 303


@pytest.mark.parametrize("body", ["<html>", "[]", "5", "null"])
def test_metadata_that_are_no_json_object_are_a_sentence(browser, provider, body):
    provider.answers["/.well-known/openid-configuration"] = Response(body)

    assert browser.get("/login").status_code in (403, 502)


# --- what is kept, and where ----------------------------------------------------------------------------
def test_the_cookie_holds_no_token_and_no_secret_of_the_sign_in(browser, app, provider):
    asked = browser.begin()
    serializer = app.session_interface.get_signing_serializer(app)
    under_way = serializer.loads(browser.cookie().value)
    assert [sorted(value) for value in under_way.values()] == [["exp"]]

    browser.come_back(asked)

    assert sorted(serializer.loads(browser.cookie().value)) == ["handle"]
    assert (browser.cookie().http_only, browser.cookie().same_site) == (True, "Lax")


def test_a_handle_that_nobody_gave_out_is_nobody(browser, app):
    with browser.http.session_transaction(base_url=WEB) as session:
        session["handle"] = ["guessed"]

    assert not browser.is_signed_in()
    assert browser.get("/me").status_code == 303


def test_a_sign_in_ends_after_some_hours(browser, monkeypatch):
    browser.sign_in()
    monkeypatch.setattr("demo.web_client.memory.time", lambda: time.time() + memory.SIGNED_IN_SECONDS)

    assert not browser.is_signed_in()


def test_many_sign_ins_that_are_not_finished_do_not_overflow_the_cookie(browser):
    for _ in range(3 * MOST_SIGN_INS_UNDER_WAY):
        asked = browser.begin()

    assert len(browser.cookie().value) < 2000
    assert browser.come_back(asked).status_code == 303


def test_the_memory_is_bounded_and_forgets_the_oldest():
    memory = Memory()
    for number in range(MOST_ENTRIES + 1):
        memory.set(str(number), number, 60)

    assert memory.get("0") is None
    assert memory.get("1") == 1


def test_a_token_that_ends_is_refreshed_and_kept(app, browser, provider):
    provider.tokens = {"expires_in": 60}
    browser.sign_in()
    person_of(app).token["expires_at"] -= 55
    provider.tokens = {"access_token": "at-2", "refresh_token": "rt-2", "id_token": None}

    browser.get("/me")
    browser.get("/me")

    grants = [(form["grant_type"], form.get("refresh_token")) for form in provider.forms("/token")]
    assert grants[1:] == [("refresh_token", "rt-1")]
    assert [call[2] for call in provider.calls if call[0] == "/api/values"] == ["Bearer at-2"] * 2


def test_pages_that_are_opened_at_once_refresh_once(app, browser, provider):
    browser.sign_in()
    person_of(app).token["expires_at"] -= 595
    headers = {"Cookie": f"demo_web_client={browser.cookie().value}"}
    with ThreadPoolExecutor(4) as pool:
        tabs = [app.test_client(use_cookies=False) for _ in range(4)]
        pages = list(pool.map(lambda tab: tab.get("/me", base_url=WEB, headers=headers), tabs))

    assert [page.status_code for page in pages] == [200] * 4
    assert len(provider.forms("/token")) == 2


def test_a_token_that_ends_at_once_loses_no_refresh_token(browser, provider):
    provider.tokens = {"expires_in": 1}

    browser.sign_in()
    browser.get("/me")

    grants = [form.get("refresh_token") for form in provider.forms("/token")]
    assert grants == [None, "rt-1", "rt-2", "rt-3"]


def test_a_refresh_that_is_refused_ends_the_sign_in(app, browser, provider):
    browser.sign_in()
    person_of(app).token["expires_at"] -= 595
    provider.answers["/token"] = as_json({"error": "invalid_grant"}, 400)

    answer = browser.get("/me")

    assert answer.status_code == 403
    assert alert(answer) == ["This sign-in has ended. Please sign in again."]
    assert not browser.is_signed_in()


# --- sign-out -------------------------------------------------------------------------------------------
def test_sign_out_gives_the_tokens_back_and_goes_on_to_the_token_server(browser, provider):
    browser.sign_in()

    answer = browser.sign_out()

    where, _, query = answer.location.partition("?")
    asked = parse_qs(query)
    (form,) = provider.forms("/revoke")
    assert (answer.status_code, where) == (303, f"{provider.url}/logout")
    assert asked["post_logout_redirect_uri"] == [f"{WEB}/signed-out"]
    assert jose.decode_unverified(asked["id_token_hint"][0])[1]["sub"] == "s-1"
    assert (form["token"], form["token_type_hint"]) == ("rt-1", "refresh_token")
    assert jose.parse(form["client_assertion"], max_bytes=8192).claims["aud"] == provider.url
    assert not browser.is_signed_in()


def test_whoever_comes_back_from_sign_out_reads_so(browser):
    browser.sign_in()
    state = parse_qs(urlsplit(browser.sign_out("/me").location).query)["state"][0]

    assert "signed out, here and at the token server" in browser.get(f"/signed-out?state={state}").text
    assert browser.get(f"/signed-out?state={state}").status_code == 303


def test_nobody_is_sent_to_the_end_of_a_sign_out_that_was_not_begun(browser):
    browser.sign_in()

    answer = browser.get("/signed-out?state=guessed")

    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.is_signed_in()


def test_a_server_without_sign_out_is_said_so(browser, provider):
    provider.metadata = {"end_session_endpoint": None, "revocation_endpoint": None}
    browser.sign_in()

    page = browser.sign_out()

    assert "You are signed out here. The token server could not be told" in page.text
    assert not browser.is_signed_in()


def test_sign_out_does_not_need_the_token_server(browser, provider):
    provider.metadata = {"revocation_endpoint": f"http://127.0.0.1:{free_port()}/"}
    browser.sign_in()

    page = browser.sign_out()

    assert "You are signed out here. The token server could not be told" in page.text
    assert not browser.is_signed_in()


def test_a_revocation_that_is_refused_does_not_keep_from_signing_out(browser, provider):
    browser.sign_in()
    provider.answers["/revoke"] = as_json({"error": "invalid_client"}, 400)

    assert browser.sign_out().location.startswith(f"{provider.url}/logout?")
    assert not browser.is_signed_in()


def test_sign_out_needs_a_form_of_this_session(browser):
    browser.sign_in()

    answer = browser.post("/logout")

    assert answer.status_code == 400
    assert alert(answer) == ["This page was open for too long, or came from elsewhere. Please try again."]
    assert browser.is_signed_in()
    assert browser.get("/logout").status_code == 405


# --- the pages ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/", "/me", "/login", "/callback", "/signed-out", "/nothing"])
def test_every_answer_has_the_headers(browser, path):
    headers = browser.get(path).headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"])
def test_a_foreign_host_name_is_refused(app, host):
    answer = app.test_client().get("/login", base_url=f"http://{host}:5010")

    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_localhost_leads_to_the_address_that_is_registered(app):
    answer = app.test_client().get("/me", base_url="http://localhost:5010")

    assert (answer.status_code, answer.location) == (302, f"{WEB}/")


def test_a_token_server_that_is_away_is_a_sentence(app, monkeypatch):
    port = free_port()
    monkeypatch.setenv("FLASK_OAUTH2_ISSUER", f"http://127.0.0.1:{port}")
    page = create_app().test_client().get("/login", base_url=WEB)

    assert page.status_code == 502
    assert alert(page) == [f"The token server at http://127.0.0.1:{port} cannot be reached. Is it running?"]
