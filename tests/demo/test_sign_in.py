"""The demo's sign-in page: who gets in, who does not, and what a refusal says."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from demo.token_server import oauth, users
from demo.token_server.database import db
from demo.token_server.pages import TOO_OLD, WRONG
from demo.token_server.sign_in_limit import MAX_FAILURES, WINDOW_SECONDS
from demo.token_server.users import User
from tests.demo.token_server_browser import CHEAP, Browser

HTTPS = "https://as.example"
pytestmark = pytest.mark.usefixtures("cheap_hashes")
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@pytest.fixture
def move_clock(monkeypatch):
    def move(seconds):
        monkeypatch.setattr("demo.token_server.sign_in_limit.time", lambda: time.time() + seconds)

    return move


def test_the_right_name_and_password_lead_back(browser):
    answer = browser.sign_in(path="/sign-in?next=/oauth2/authorize%3Fclient_id%3Da%26state%3Db")

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/oauth2/authorize?client_id=a&state=b"
    assert browser.is_signed_in()


def test_a_name_is_the_same_in_any_case(browser):
    assert browser.sign_in(" ALICE ").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong"),
        ("alice", "builder"),
        ("alice", "Wonderland"),
        ("alice", ""),
        ("alice", "w" * 5000),
        ("nobody", "wonderland"),
        ("", "wonderland"),
        ("a" * 65, "wonderland"),
        ("al\0ice", "wonderland"),
        ("alice' --", "wonderland"),
    ],
)
def test_a_refusal_does_not_say_which_part_was_wrong(browser, name, password):
    answer = browser.sign_in(name, password)

    assert answer.status_code == 403
    assert re.findall(r'role="alert">([^<]*)', answer.text) == [WRONG]
    assert not browser.is_signed_in()


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_name_nobody_has_costs_the_same_work(browser, monkeypatch, name):
    checked = []
    monkeypatch.setattr(users, "check_password_hash", lambda kept, _given: checked.append(kept.split("$")[0]))

    browser.sign_in(name, "wrong")

    assert checked == [CHEAP]


def test_nobodys_hash_is_as_costly_as_a_real_one(monkeypatch):
    monkeypatch.undo()

    method, salt, digest = users._NOBODYS_HASH.split("$")
    real = users.generate_password_hash("x", users._METHOD).split("$")
    assert (method, len(digest)) == (real[0], len(real[2]))
    assert users.check_password_hash(f"{method}${salt}${digest}", "") is False


# --- the way back ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\/evil.example",
        "/\t/evil.example",
        "/\r\nLocation: https://evil.example",
        " https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "http:evil.example",
        "?next=/",
        "/\u2025evil.example",
    ],
)
def test_a_way_back_to_elsewhere_is_refused_before_and_after_the_password(browser, foreign):
    path = f"/sign-in?{urlencode({'next': foreign})}"

    for answer in (browser.get(path), browser.sign_in(path=path)):
        assert answer.status_code == 400
        assert "Location" not in answer.headers
    assert not browser.is_signed_in()


@pytest.mark.parametrize("own", ["/", "/oauth2/authorize?a=b&c=%2F%2Fd", "/a//b"])
def test_a_way_back_to_this_server_is_taken(browser, own):
    assert browser.sign_in(path=f"/sign-in?{urlencode({'next': own})}").headers["Location"] == own


def test_a_way_back_out_of_the_apps_own_path_is_refused(app):
    answer = app.test_client().get("/sign-in?next=/other-app", environ_overrides={"SCRIPT_NAME": "/demo"})

    assert answer.status_code == 400


def test_whoever_is_signed_in_already_is_sent_on(browser):
    browser.sign_in()

    assert browser.get("/sign-in?next=/somewhere").headers["Location"] == "/somewhere"
    assert browser.get("/sign-in?next=//evil.example").status_code == 400


# --- how often ------------------------------------------------------------------------------------------
def fail(browser, times=MAX_FAILURES, name="alice"):
    return [browser.sign_in(name, "wrong").status_code for _ in range(times)]


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_after_five_failures_nothing_is_checked_any_more(browser, name):
    assert fail(browser, name=name) == [403] * MAX_FAILURES

    answer = browser.sign_in(name, "wonderland")

    assert answer.status_code == 429
    assert WINDOW_SECONDS - 60 < int(answer.headers["Retry-After"]) <= WINDOW_SECONDS
    assert "Please try again in 15 minutes." in answer.text
    assert not browser.is_signed_in()


def test_fifteen_minutes_later_the_right_password_is_right_again(browser, move_clock):
    fail(browser)

    move_clock(WINDOW_SECONDS - 5)
    assert browser.sign_in().status_code == 429
    move_clock(WINDOW_SECONDS + 5)
    assert browser.sign_in().status_code == 303


def test_failures_leave_the_count_one_by_one(browser, move_clock):
    fail(browser, 4)
    move_clock(600)
    fail(browser, 1)

    move_clock(WINDOW_SECONDS + 5)
    assert fail(browser, 5) == [403] * 4 + [429]


def test_a_name_in_another_case_is_counted_with_it(browser):
    assert [browser.sign_in(name, "wrong").status_code for name in ("ALICE", "Alice ", "aLice", "alice", " alice")] == (
        [403] * 5
    )
    assert browser.sign_in().status_code == 429


def test_other_names_and_other_addresses_are_counted_apart(app, browser):
    fail(browser)

    assert browser.sign_in("bob", "builder").status_code == 303
    assert Browser(app, address="127.0.0.2").sign_in().status_code == 303


def test_all_addresses_of_one_ipv6_network_are_counted_together(app):
    assert [fail(Browser(app, address=f"2001:db8::{n}"), 1)[0] for n in range(6)] == [403] * 5 + [429]
    assert Browser(app, address="2001:db8:0:1::1").sign_in().status_code == 303


def test_a_success_begins_the_count_anew(app, browser):
    fail(browser, 4)
    browser.sign_in()

    assert fail(Browser(app), 5) == [403] * 5


def test_all_workers_count_together(app, make_token_server):
    workers = [Browser(app), Browser(make_token_server())]

    assert [worker.sign_in("alice", "wrong").status_code for worker in workers * 3] == [403] * 5 + [429]


def test_of_twenty_at_once_five_are_checked(app, make_token_server):
    browsers = [Browser(worker) for worker in (app, make_token_server()) for _ in range(10)]
    tokens = [browser.csrf_token() for browser in browsers]

    def send(browser, token):
        return browser.post("/sign-in", csrf_token=token, name="alice", password="wrong").status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(send, browsers, tokens))

    assert statuses == [403] * 5 + [429] * 15


# --- forms and sessions ---------------------------------------------------------------------------------
@pytest.mark.parametrize("token", ["", "forged"])
def test_a_form_without_our_csrf_token_signs_nobody_in(browser, token):
    answer = browser.sign_in(csrf_token=token)

    assert answer.status_code == 400
    assert TOO_OLD in answer.text
    assert not browser.is_signed_in()


def test_a_csrf_token_of_another_session_signs_nobody_in(app, browser):
    assert browser.sign_in(csrf_token=Browser(app).csrf_token()).status_code == 400
    assert not browser.is_signed_in()


def test_signing_in_makes_earlier_csrf_tokens_worthless(browser):
    before = browser.csrf_token()
    browser.sign_in()

    assert browser.post("/sign-out", csrf_token=before).status_code == 400
    assert browser.is_signed_in()


def test_signing_out_takes_a_form_of_ours(browser):
    browser.sign_in()

    assert browser.get("/sign-out").status_code == 405
    assert browser.post("/sign-out").status_code == 400
    assert browser.is_signed_in()

    assert browser.post("/sign-out", csrf_token=browser.csrf_token("/")).status_code == 303
    assert not browser.is_signed_in()


def test_over_https_no_referer_is_needed_and_cookies_are_secure(app, make_token_server):
    browser = Browser(make_token_server(HTTPS), origin=HTTPS)

    assert browser.sign_in().status_code == 303
    assert browser.http.get_cookie("demo_token_server", "as.example").secure


def test_the_cookie_is_not_for_scripts_nor_for_other_sites_forms(app):
    cookie = Browser(app).get("/sign-in").headers["Set-Cookie"]

    assert "; HttpOnly;" in cookie
    assert cookie.endswith("; SameSite=Lax")
    assert "Secure" not in cookie  # http on loopback: the browser would drop it


# --- what the pages are ---------------------------------------------------------------------------------
def test_every_page_has_its_headers(browser):
    shown = [browser.get(path) for path in ("/", "/sign-in", "/sign-in?next=//x", "/oauth2/authorize")]
    shown += [browser.sign_in(password="wrong"), browser.sign_in(csrf_token=""), browser.sign_in()]
    shown.append(browser.get("/"))

    for page in shown:
        assert HEADERS.items() <= dict(page.headers).items(), page.request
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "script-src" not in page.headers["Content-Security-Policy"]


def test_the_pages_load_nothing_from_elsewhere(browser):
    texts = [browser.get(path).text for path in ("/", "/sign-in", "/oauth2/authorize", "/oauth2/pages.css")]

    assert [text for text in texts if "//" in text or "url(" in text] == []


def test_every_field_has_its_label(browser):
    page = browser.get("/sign-in").text

    fields = re.findall(r'<input(?![^>]*type="(?:hidden|submit)")[^>]* id="([^"]+)"', page)
    assert fields == re.findall(r'<label for="([^"]+)"', page) == ["name", "password"]


def test_what_is_typed_as_a_name_comes_back_as_text_and_the_password_never(browser):
    answer = browser.sign_in('"><script>alert(1)</script>', "hunter2-hunter2")

    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "hunter2" not in answer.text


def test_what_a_client_says_of_itself_is_text_on_the_consent_page(app, browser):
    metadata = {
        "client_id": "stranger",
        "client_name": "<script>alert('x')</script>",
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["http://127.0.0.1/callback?\u0061=';b"],
        "scope": "mobile",
        "dpop_bound_access_tokens": True,
    }
    with app.app_context():
        oauth.clients.add(metadata)
    request = {
        "response_type": "code",
        "client_id": "stranger",
        "redirect_uri": "http://127.0.0.1/callback?a=';b",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        "scope": "mobile",
        "state": "'\"><script>",
    }
    browser.sign_in()

    page = browser.get(f"/oauth2/authorize?{urlencode(request)}")

    assert page.status_code == 200
    assert "You are signed in as <bdi>alice</bdi>." in page.text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page.text
    assert "<script" not in page.text


# --- flask demo-user ------------------------------------------------------------------------------------
def test_demo_user_add_asks_for_the_password_twice_and_keeps_a_hash(app, browser):
    done = app.test_cli_runner().invoke(args=["demo-user", "add", "Carol"], input="carols secret\ncarols secret\n")

    assert (done.exit_code, "carols secret" in done.output) == (0, False)
    assert "carol may sign in." in done.output
    with app.app_context():
        kept = db.session.scalars(db.select(User).filter_by(name="carol")).one()
        assert kept.password_hash.startswith(CHEAP)
        assert len(kept.get_id()) == 32
    assert browser.sign_in("carol", "carols secret").status_code == 303


@pytest.mark.parametrize(
    ("name", "password", "sentence"),
    [
        ("Alice", "x", "There is a person named 'alice' already."),
        (" ", "x", "' ' has 0 characters, not 1 to 64."),
        ("a\tb", "x", "'a\\tb' holds characters that cannot be printed."),
        ("dave", "x" * 257, "'dave' has a password of 257 characters, not 1 to 256."),
        ("dave", "", "'dave' has a password of 0 characters, not 1 to 256."),
    ],
)
def test_demo_user_add_refuses_in_a_sentence(app, name, password, sentence):
    done = app.test_cli_runner().invoke(args=["demo-user", "add", name, "--password", password])

    assert done.exit_code == 1
    assert done.output == f"Error: {sentence}\n"
