"""Which scopes a token gets (RFC 6749 §3.3): all that were requested, or a refusal; never silently fewer."""

import pytest

from flask_private_key_jwt.authorization_server.grants.scope import MAX_SCOPE_CHARACTERS
from flask_private_key_jwt.jose import jose
from tests.conftest import CLIENT_ID
from tests.refusals import causes

INVALID_SCOPE = {"error": "invalid_scope", "error_description": "The requested scope is invalid."}


def refusal(scope):
    return f"scope {scope!a} is not registered for the client"


def assert_refused(answer, refusals, cause, *, says=""):
    assert (answer.status_code, answer.json) == (400, INVALID_SCOPE)
    assert causes(refusals) == [cause], refusals
    assert says in ("", refusals[0])


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        ("read", "read"),
        ("write", "write"),
        ("write read", "write read"),
        ("read read", "read"),
        ("write read write", "write read"),
    ],
)
def test_registered_scopes_are_granted_in_the_order_asked_for(requested, granted, ask_token):
    answer = ask_token(scope=requested)

    assert answer.json["scope"] == granted
    assert jose.decode_unverified(answer.json["access_token"])[1]["scope"] == granted


@pytest.mark.parametrize("requested", [None, ""])
def test_request_without_a_scope_gets_the_default(requested, ask_token):
    assert ask_token(scope=requested).json["scope"] == "read"


def test_default_keeps_its_order(ask_token, app, oauth):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"default_scope": "write read"})

    assert ask_token().json["scope"] == "write read"


def test_client_without_a_default_gets_what_it_is_registered_for(ask_token, app, oauth):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"default_scope": None})

    assert ask_token().json["scope"] == "read write"
    assert ask_token(scope="read").json["scope"] == "read"


def test_client_that_is_registered_for_no_scope_gets_no_token(ask_token, app, oauth, refusals):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"default_scope": None, "scope": None})

    assert_refused(ask_token(), refusals, "scope_missing")


def test_default_of_a_client_that_acts_for_itself_leaves_out_what_is_about_people(ask_token, app, oauth, refusals):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"default_scope": None, "scope": "read openid offline_access"})

    assert ask_token().json["scope"] == "read"
    assert ask_token(scope="openid read").status_code == 400
    assert causes(refusals) == ["openid_without_person"]


@pytest.mark.parametrize("requested", ["read offline_access", "offline_access read", " offline_access  read "])
def test_offline_access_that_is_not_allowed_is_ignored(requested, ask_token, refusals):
    assert ask_token(scope=requested).json["scope"] == "read"
    assert_refused(ask_token(scope=requested + " admin"), refusals, "scope_not_registered", says=refusal("admin"))


def test_nothing_but_an_offline_access_that_is_not_allowed_asks_for_the_default(ask_token):
    assert ask_token(scope="offline_access").json["scope"] == "read"


@pytest.mark.parametrize("other", ["admin", "READ", "rea", "reads", "read,write", "*", '"read"', "r\u00e9ad", "\x00"])
def test_one_scope_that_is_not_registered_refuses_the_whole(other, ask_token, refusals):
    assert_refused(ask_token(scope=f"read {other}"), refusals, "scope_not_registered", says=refusal(other))


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        (" ", "read"),
        (" write", "write"),
        ("write ", "write"),
        ("read  write", "read write"),
        ("  write   read ", "write read"),
    ],
)
def test_needless_space_is_no_scope(requested, granted, ask_token):
    assert ask_token(scope=requested).json["scope"] == granted


@pytest.mark.parametrize("separator", ["\t", "\n", "\r\n", "\u00a0", "\u2003", "+", ","])
def test_only_a_space_separates(separator, ask_token, refusals):
    requested = f"read{separator}write"

    assert_refused(ask_token(scope=requested), refusals, "scope_not_registered", says=refusal(requested))


def test_scope_up_to_the_longest_is_looked_at_and_a_longer_one_refused(ask_token, app, oauth, refusals):
    longest = "r" * MAX_SCOPE_CHARACTERS
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"scope": f"{longest}", "default_scope": None})

    assert ask_token(scope=longest).status_code == 200
    assert_refused(
        ask_token(scope=longest + "r"),
        refusals,
        "scope_too_long",
        says=f"scope is longer than {MAX_SCOPE_CHARACTERS} characters",
    )


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read", "write", "admin"]}])
def test_scope_of_the_server_that_is_not_the_clients_is_refused(ask_token, refusals):
    assert_refused(ask_token(scope="admin"), refusals, "scope_not_registered", says=refusal("admin"))


def test_narrowed_registration_counts_at_once(ask_token, app, oauth, refusals):
    assert ask_token(scope="write").status_code == 200
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"scope": "read"})

    assert_refused(ask_token(scope="write"), refusals, "scope_not_registered", says=refusal("write"))


def test_refused_scope_has_spent_the_assertion(ask_token, build_assertion, refusals):
    assertion = build_assertion()
    ask_token(assertion=assertion, scope="admin")

    assert ask_token(assertion=assertion, scope="read").json["error"] == "invalid_client"
    assert causes(refusals) == ["scope_not_registered", "assertion_replayed"]
