"""``flask oauth2 grants …`` and ``oauth.grants``: who allowed what to whom, since when, when it was last used."""

import json
import re

import flask
import pytest
from sqlalchemy import event, text, update

from flask_private_key_jwt.authorization_server.stores.contracts import DocumentKey
from flask_private_key_jwt.authorization_server.stores.granted import Consent
from tests.authorization_server.conftest import APP_ID, DOCUMENT, DOCUMENT_URL, User
from tests.checkout import CHECKOUT
from tests.conftest import API, CLIENT_ID, START

DAY = 86400


@pytest.fixture
def run(app):
    def run(*words):
        return app.test_cli_runner().invoke(args=["oauth2", "grants", *words])

    return run


@pytest.fixture
def listed(run):
    """The grants as ``--json`` prints them."""

    def listed(*words):
        outcome = run("list", "--json", *words)
        assert (outcome.exit_code, outcome.stderr) == (0, "")
        return json.loads(outcome.stdout)

    return listed


@pytest.fixture
def all_grants(app, people):
    def all_grants(**whose):
        with app.app_context():
            return people.grants.find(**whose) if whose else people.grants.all()

    return all_grants


@pytest.fixture
def allow(get_code, redeem):
    """Alice allows the app something; what the code gives."""

    def allow(**changes):
        answer = redeem(get_code(**changes))
        assert answer.status_code == 200, answer.json
        return answer.json

    return allow


# --- what is told ---------------------------------------------------------------------------------------------
def test_grant_says_who_allowed_what_to_whom_since_when_and_when_it_was_last_used(allow, refresh, all_grants, clock):
    token = allow(scope="read write")["refresh_token"]
    clock.move(DAY)
    assert refresh(token).status_code == 200

    (grant,) = all_grants()

    assert (grant.subject, grant.client_id, grant.client_name) == ("alice", APP_ID, "The <b>App</b>")
    assert (grant.scope, grant.resources) == (("read", "write"), (API,))
    assert (grant.granted_at, grant.last_used_at, grant.sessions) == (START, START + DAY, 1)
    assert grant.ends_at > START + DAY
    assert grant.client.redirect_uris


def test_first_use_is_the_redemption_of_the_code(get_code, redeem, all_grants, clock):
    code = get_code()
    assert (all_grants()[0].last_used_at, all_grants()[0].sessions) == (None, 0)
    clock.move(30)

    redeem(code)

    assert (all_grants()[0].last_used_at, all_grants()[0].sessions) == (START + 30, 1)


def test_two_sign_ins_are_one_grant_with_two_sessions(allow, all_grants, clock):
    allow()
    clock.move(60)
    allow(scope="write")

    (grant,) = all_grants()

    assert (grant.sessions, grant.scope, grant.granted_at) == (2, ("read", "write"), START)
    assert grant.last_used_at == START + 60


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_use_is_noted_where_refresh_tokens_are_replaced(allow, refresh, all_grants, clock):
    token = allow()["refresh_token"]
    for _ in range(3):
        clock.move(60)
        token = refresh(token).json["refresh_token"]

    (grant,) = all_grants()

    assert (grant.last_used_at, grant.sessions) == (START + 180, 1)


def test_consent_stays_when_the_tokens_are_over(allow, all_grants, clock):
    allow()
    clock.move(400 * DAY)

    (grant,) = all_grants()

    assert (grant.sessions, grant.ends_at, grant.granted_at) == (0, None, START)


def test_person_of_a_client_sees_only_their_own(allow, all_grants, other_browser, app, people):
    allow()
    with app.app_context():
        app.extensions["private_key_jwt"].authorizations.save_consent(
            APP_ID, "Alice", Consent(frozenset({"read"}), frozenset(), START)
        )

    assert [grant.subject for grant in all_grants(subject="alice")] == ["alice"]
    assert [grant.subject for grant in all_grants(client_id=APP_ID)] == ["Alice", "alice"]
    assert all_grants(subject="bob") == all_grants(client_id="Webapp") == []
    with app.app_context():
        (grant,) = people.grants.find(subject="alice", client_id=APP_ID)
        assert grant.scope == ("read",)
        assert people.grants.find(subject="alice", client_id=CLIENT_ID) == []


@pytest.mark.parametrize(("name", "shown"), [("Example MCP Client", "Example MCP Client"), ("Goog\u200ble", None)])
def test_name_in_a_document_is_told_unless_it_hides_something(name, shown, app, people, server):
    """The document as it was last fetched: nothing is fetched for this."""
    state, key = app.extensions["private_key_jwt"], DocumentKey("client", DOCUMENT_URL)
    with app.app_context():
        assert state.documents.claim(key, now=START, not_before=START - 60)
        body = json.dumps({**DOCUMENT, "client_name": name})
        state.documents.save(key, body, fetched_at=START, fresh_until=START)
        state.authorizations.save_consent(DOCUMENT_URL, "alice", Consent(frozenset({"read"}), frozenset(), START))

        (grant,) = people.grants.all()

    assert (grant.client_id, grant.client_name, grant.client) == (DOCUMENT_URL, shown, None)


def test_client_of_which_nothing_is_kept_has_no_name(app, people):
    with app.app_context():
        consent = Consent(frozenset({"read"}), frozenset(), START)
        app.extensions["private_key_jwt"].authorizations.save_consent(DOCUMENT_URL, "alice", consent)

        (grant,) = people.grants.find(subject="alice")

    assert grant.client_name is None


def test_row_of_an_older_version_has_no_last_use(allow, all_grants, server):
    allow()
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(db.metadata.tables["oauth2_refresh_token"]).values(last_used_at=None))
        connection.execute(text("DELETE FROM oauth2_authorization_code"))

    (grant,) = all_grants()

    assert (grant.last_used_at, grant.sessions) == (None, 1)


@pytest.mark.parametrize("whose", [{"subject": 5}, {"client_id": b"x"}])
def test_wrong_type_is_an_error_of_the_caller(whose, all_grants):
    with pytest.raises(TypeError):
        all_grants(**whose)


# --- taken back -----------------------------------------------------------------------------------------------
def test_revoked_grant_is_gone_and_gives_no_token(allow, refresh, all_grants, app, people):
    token = allow()["refresh_token"]

    with app.app_context():
        assert people.grants.revoke(subject="alice", client_id=APP_ID) == 1

    assert all_grants() == []
    assert refresh(token).json["error"] == "invalid_grant"


def test_nobody_sees_what_everybody_allows_because_nobody_is_signed_in(allow, app, people):
    allow()

    with app.app_context(), pytest.raises(ValueError, match="name a subject, a client_id or both"):
        people.grants.find(subject=None)


@pytest.mark.parametrize(("subject", "client_id"), [(None, APP_ID), ("alice", None), (5, APP_ID)])
def test_revocation_always_means_one_person_and_one_client(subject, client_id, allow, all_grants, app, people):
    allow()

    with app.app_context(), pytest.raises(TypeError, match="has to be text, as tokens name it, not "):
        people.grants.revoke(subject=subject, client_id=client_id)

    assert len(all_grants()) == 1


def test_refresh_token_that_a_revocation_overtook_is_not_told(allow, all_grants, server, monkeypatch):
    """Its row was stored after the revocation had deleted the others: it gives no token."""
    allow()
    app, oauth, _ = server
    state = app.extensions["private_key_jwt"]
    monkeypatch.setattr(type(state.refresh_tokens), "remove_grant", lambda *_: None)
    with app.app_context():
        oauth.grants.revoke(subject="alice", client_id=APP_ID)

    assert all_grants() == []


def test_command_revokes_and_says_so(allow, refresh, run):
    token = allow()["refresh_token"]

    outcome = run("revoke", "--subject", "alice", "--client", APP_ID, "--yes")

    assert outcome.exit_code == 0
    assert outcome.stdout.startswith("Revoked: what 'alice' granted client webapp; 1 grant, and every access token")
    assert refresh(token).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "words", [[], ["--subject", ""], ["--subject", "", "--client", APP_ID], ["--subject", "alice", "--client", ""]]
)
def test_it_must_be_clear_whose_grants_are_meant(words, run, allow, all_grants):
    """An empty value is what a script gives whose variable is not set."""
    allow()

    outcome = run("revoke", *words, "--yes")
    assert len(all_grants()) == 1

    assert (outcome.exit_code, outcome.stderr) == (2, "Error: Give --subject, --client or both.\n")


# --- the table ------------------------------------------------------------------------------------------------
def test_list_is_a_table(allow, run):
    allow()

    head, row = run("list").stdout.splitlines()

    assert head.split() == ["SUBJECT", "CLIENT", "NAME", "SINCE", "LAST", "USED", "SESSIONS", "ENDS", "SCOPE"]
    assert row.startswith(
        "alice    webapp  The <b>App</b>  2027-01-15 08:00 UTC  2027-01-15 08:00 UTC  1         2027-"
    )
    assert row.endswith("  read")


def test_list_is_filtered(allow, listed, clock):
    allow()
    assert len(listed("--subject", "alice")) == len(listed("--client", APP_ID)) == len(listed("--scope", "read")) == 1
    assert (
        listed("--subject", "")
        == listed("--subject", "bob")
        == listed("--client", "other")
        == listed("--scope", "write")
        == []
    )
    assert listed("--unused-for", "1d") == []

    clock.move(DAY)

    assert len(listed("--unused-for", "1d")) == 1


def test_json_has_the_moments_in_seconds(allow, listed):
    allow()

    (grant,) = listed()

    assert grant.pop("ends_at") > START
    assert grant == {
        "subject": "alice",
        "client_id": APP_ID,
        "client_name": "The <b>App</b>",
        "scope": "read",
        "resources": [API],
        "granted_at": START,
        "last_used_at": START,
        "sessions": 1,
    }


def test_names_are_safe_in_a_terminal(run, app, people):
    with app.app_context():
        consent = Consent(frozenset({"read"}), frozenset(), START)
        app.extensions["private_key_jwt"].authorizations.save_consent(APP_ID, "a\x1b[2J\nb", consent)

    assert "a\\x1b[2J\\nb  webapp" in run("list").stdout


# --- what it costs --------------------------------------------------------------------------------------------
def test_noting_the_use_takes_no_statement_of_its_own(allow, refresh, server):
    """A refresh writes what it wrote before: the marks of its assertion, and one UPDATE of the token."""
    token = allow()["refresh_token"]
    app, _, db = server
    written = []

    def note(_connection, _cursor, statement, *_):
        if not statement.startswith(("SELECT", "PRAGMA")):
            written.append(statement.split()[:3])

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", note)

    refresh(token)

    assert written == [["UPDATE", "oauth2_refresh_token", "SET"]]


# --- the page "my applications" -------------------------------------------------------------------------------
def test_page_of_the_documentation_works(allow, refresh, app, people, browser):
    """It escapes what a client calls itself, and its button takes back what its line shows."""
    page = (CHECKOUT / "docs" / "revocation.md").read_text(encoding="utf-8")
    (views,) = re.findall(r"```python\n(APPLICATIONS = .*?)```", page, flags=re.DOTALL)
    names = {
        "app": app,
        "oauth": people,
        "login_required": lambda view: view,
        "current_user": User("alice"),
        "render_template_string": flask.render_template_string,
        "redirect": flask.redirect,
        "request": flask.request,
    }
    app._got_first_request = False  # views are added after the first request of this test
    exec(views, names)
    token = allow()["refresh_token"]
    shown = browser.http.get("/my-applications").text
    assert "The &lt;b&gt;App&lt;/b&gt; (webapp) may use: read\n" in shown

    browser.http.post("/my-applications", data={"client_id": re.search(r'value="(.*)"', shown)[1]})

    assert "Remove" not in browser.http.get("/my-applications").text
    assert refresh(token).json["error"] == "invalid_grant"
