"""``--flow code``: a real token server, a listener on loopback, and a script in the place of the person."""

import secrets
import webbrowser
from threading import Thread
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from demo.clients import ALICE, DemoPerson
from demo.console_client import browser, code_flow
from demo.console_client.browser import ScriptedBrowser
from demo.console_client.code_flow import Secrets, check_answer
from demo.console_client.loopback import LoopbackListener, NobodyCame
from demo.console_client.walk import WentWrong

ISSUER = "https://as.example"
ANSWER = {"code": "c0de", "state": "st4te", "iss": ISSUER}


class AtTheClient(Exception):
    """The browser is about to deliver the answer."""


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(code_flow, "PATIENCE_SECONDS", 10)


@pytest.fixture
def person(monkeypatch):
    """Somebody who does what the test says with the address that the console client opens."""

    def sits_there(do):
        def open_(url):
            thread = Thread(target=do, args=(url,), daemon=True)
            thread.start()
            opened.append(url)
            return True

        monkeypatch.setattr(webbrowser, "open", open_)

    opened = []
    sits_there.opened = opened
    return sits_there


@pytest.fixture
def newcomer(site, monkeypatch):
    """Somebody who has not allowed anything yet."""
    person = DemoPerson(f"newcomer-{secrets.token_hex(4)}", "new here")
    done = site.run("flask", "--app", "demo.token_server", "demo-user", "add", person.name, "--password", "new here")
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr("demo.console_client.__main__.ALICE", person)
    return person


def without_redirects(url):
    """The answer of the authorization endpoint to alice, who allows everything; not delivered."""
    visitor = ScriptedBrowser(ALICE)
    send = visitor._session.send

    def stop_at_loopback(request, **options):
        if "/callback" in urlsplit(request.url).path:
            raise AtTheClient(request.url)
        return send(request, **options)

    visitor._session.send = stop_at_loopback
    try:
        visitor.visit(url)
    except AtTheClient as stopped:
        return str(stopped)
    raise AssertionError("there was no redirect to the client")


def test_the_code_flow_shows_every_step(console, newcomer):
    done = console("--flow", "code", "--scripted")

    assert (done.returncode, done.stderr) == (0, "")
    for step in range(1, 12):
        assert f"\n{step} " in done.stdout
    assert "request_uri" in done.stdout
    assert f"A script plays the person: signs in as {newcomer.name}, presses allow." in done.stdout
    assert done.stdout.count("✓ cnf.jkt ") == 2
    assert done.stdout.count("✓ The API answered.") == 2
    assert done.stdout.count("read by mobile-code-client for ") == 2
    assert "✓ Signed with a key that the issuer publishes; iss, aud and exp are right, nonce is the one" in done.stdout
    assert "✓ UserInfo speaks of the same person as the ID token." in done.stdout
    assert "✓ The refresh token gives no more tokens." in done.stdout
    assert "✓ The access token opens nothing at the issuer any more." in done.stdout


def test_what_a_person_allowed_is_not_asked_again(console, newcomer):
    console("--flow", "code", "--scripted")

    assert (
        f"A script plays the person: signs in as {newcomer.name}.\n" in console("--flow", "code", "--scripted").stdout
    )


def test_codes_and_refresh_tokens_are_printed_whole_only_on_demand(console):
    names = ("  code_verifier ", '"refresh_token": ', "  code  ")

    def values(text):
        return [line for line in text.splitlines() if any(name in line for name in names)]

    assert len(values(console("--flow", "code", "--scripted").stdout)) == 4
    assert all("…" in line for line in values(console("--flow", "code", "--scripted").stdout))
    assert all("…" not in line for line in values(console("--flow", "code", "--scripted", "--full").stdout))


def test_the_browser_of_the_person_is_opened(console, person):
    person(ScriptedBrowser(ALICE).visit)

    done = console("--flow", "code")

    assert done.returncode == 0
    assert len(person.opened) == 1
    assert person.opened[0] in done.stdout


def test_no_browser_is_opened_on_demand(console, person, monkeypatch):
    person(ScriptedBrowser(ALICE).visit)
    monkeypatch.setattr(code_flow, "PATIENCE_SECONDS", 0.1)

    done = console("--flow", "code", "--no-browser")

    assert person.opened == []
    assert "Open this address, sign in, and decide:" in done.stdout
    assert done.returncode == 1
    assert "✗ The browser did not come back within 0 seconds." in done.stdout


def test_only_the_request_uri_and_the_client_go_through_the_browser(console, person):
    person(ScriptedBrowser(ALICE).visit)
    console("--flow", "code")

    assert sorted(dict(parse_qsl(urlsplit(person.opened[0]).query))) == ["client_id", "request_uri"]


def test_a_person_who_denies_is_a_sentence(console, person, newcomer):
    person(ScriptedBrowser(newcomer, decision="deny").visit)

    done = console("--flow", "code")

    assert done.returncode == 1
    assert "✗ No code: access_denied." in done.stdout
    assert "5 The code becomes tokens" not in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("state", "another", "✗ The authorization response has another state: it is not the answer to this request."),
        ("iss", "https://evil.example", "✗ The authorization response is from 'https://evil.example', not from "),
    ],
)
def test_an_answer_that_was_changed_under_way_is_refused(console, person, name, value, sentence):
    def forge(url):
        place, _, query = without_redirects(url).partition("?")
        requests.get(f"{place}?{urlencode({**dict(parse_qsl(query)), name: value})}", timeout=10)

    person(forge)

    done = console("--flow", "code")

    assert done.returncode == 1
    assert sentence in done.stdout
    assert "5 The code becomes tokens" not in done.stdout


def test_a_code_from_somewhere_else_is_refused_by_the_server(console, person):
    def forge(url):
        place, _, query = without_redirects(url).partition("?")
        requests.get(f"{place}?{urlencode({**dict(parse_qsl(query)), 'code': 'f0reign'})}", timeout=10)

    person(forge)

    done = console("--flow", "code")

    assert done.returncode == 1
    assert "✗ The token endpoint answered 400 invalid_grant where a token was due." in done.stdout


def test_a_wrong_password_is_where_the_script_gives_up(console, monkeypatch):
    monkeypatch.setattr("demo.console_client.__main__.ALICE", DemoPerson("mallory", "guess"))

    done = console("--flow", "code", "--scripted")

    assert done.returncode == 1
    assert "/sign-in answered 403." in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--flow", "code", "--client", "mobile-client"], "--flow code and mobile-code-client go together"),
        (["--client", "mobile-code-client"], "--flow code and mobile-code-client go together"),
        (["--client", "mobile-code-client", "--watch"], "--flow code and mobile-code-client go together"),
        (["--client", "mobile-code-client", "--attack", "all"], "the attacks are on DPoP tokens"),
        (["--no-browser"], "--no-browser and --scripted go with --flow code"),
        (["--flow", "code", "--watch"], "not allowed with argument"),
        (["--flow", "code", "--no-browser", "--scripted"], "not allowed with argument"),
    ],
)
def test_options_that_contradict_each_other_are_a_sentence(console, capsys, words, sentence):
    with pytest.raises(SystemExit, match="2"):
        console(*words)

    assert sentence in capsys.readouterr().err


# --- what the client accepts as an answer ---------------------------------------------------------------
def test_an_answer_of_ours_holds_a_code():
    assert check_answer(ANSWER.items(), "st4te", ISSUER) == "c0de"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": None}, "another state"),
        ({"state": "st4te "}, "another state"),
        ({"state": "stätе"}, "another state"),
        ({"iss": None}, "is from None, not from 'https://as.example'"),
        ({"iss": f"{ISSUER}/"}, "not from 'https://as.example'"),
        ({"code": None}, "neither a code nor an error"),
        ({"code": ""}, "neither a code nor an error"),
        ({"error": "access_denied"}, "No code: access_denied."),
        ({"error": "access_denied", "state": "x"}, "another state"),
        ({"error": "access_denied", "iss": None}, "is from None"),
    ],
)
def test_any_other_answer_is_refused(changes, sentence):
    members = {name: value for name, value in {**ANSWER, **changes}.items() if value is not None}

    with pytest.raises(WentWrong, match=sentence):
        check_answer(members.items(), "st4te", ISSUER)


def test_an_answer_with_a_parameter_twice_is_refused():
    with pytest.raises(WentWrong, match="a parameter twice"):
        check_answer([*ANSWER.items(), ("code", "other")], "st4te", ISSUER)


def test_the_challenge_is_that_of_rfc_7636_appendix_b():
    own = Secrets(code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    assert own.code_challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_every_run_has_secrets_of_its_own():
    one, other = Secrets(), Secrets()

    assert one.state != other.state
    assert one.code_verifier != other.code_verifier
    assert one.state not in repr(one)


# --- the listener ---------------------------------------------------------------------------------------
def test_the_listener_takes_the_first_answer_to_its_path_only():
    with LoopbackListener("/callback") as listener:
        other = listener.redirect_uri.replace("/callback", "/favicon.ico")
        assert requests.get(other, timeout=5).status_code == 404
        page = requests.get(f"{listener.redirect_uri}?code=%3Cb%3E&state=", timeout=5)
        requests.get(f"{listener.redirect_uri}?code=second", timeout=5)

        assert listener.wait(60) == [("code", "<b>"), ("state", "")]
    assert "<b>" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


def test_the_listener_is_on_loopback_only_and_gone_afterwards():
    with LoopbackListener("/callback") as listener:
        assert listener._server.server_address[0] == "127.0.0.1"
        with pytest.raises(NobodyCame):
            listener.wait(0)

    with pytest.raises(requests.ConnectionError):
        requests.get(listener.redirect_uri, timeout=5)


def test_orders_to_the_terminal_in_an_answer_are_shown_harmless(console, person):
    def forge(url):
        place = without_redirects(url).partition("?")[0]
        requests.get(f"{place}?{urlencode({'state': chr(27) + ']0;title' + chr(7)})}", timeout=10)

    person(forge)

    done = console("--flow", "code")

    assert done.returncode == 1
    assert "\ufffd]0;title\ufffd" in done.stdout
    assert chr(27) not in done.stdout


def test_a_page_the_script_does_not_know_stops_it():
    form = browser.Form("http://127.0.0.1/x?y", fields={"name": ""})

    with pytest.raises(browser.LostItsWay, match="asks for something the script does not know"):
        ScriptedBrowser(ALICE).fill_in(form)
