"""Every event: when its signal is sent, with what, and that nothing is told of what did not happen."""

import re
from contextlib import ExitStack
from dataclasses import fields
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from flask_private_key_jwt import signals
from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.errors import InvalidClientMetadata, StoreUnavailable
from flask_private_key_jwt.signals.events import Event, find_events
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, answer_in, build_request
from tests.authorization_server.registration.self_registration.answers import REGISTER
from tests.checkout import CHECKOUT
from tests.conftest import API, CLIENT_ID, START

PAGE = (CHECKOUT / "docs" / "events.md").read_text(encoding="utf-8")


class Heard(list):
    """What was sent: (name of the signal, arguments), in order."""

    def names(self):
        return [name for name, _ in self]

    def of(self, name):
        """The arguments of the only event of this name."""
        (found,) = (arguments for heard, arguments in self if heard == name)
        return found


@pytest.fixture
def heard(app):
    """What the receivers of this app were told since the fixture was made."""
    heard = Heard()
    with ExitStack() as stack:
        for name in signals.__all__:

            def note(sender, _name=name, **arguments):
                heard.append((_name, arguments))

            stack.enter_context(getattr(signals, name).connected_to(note, sender=app))
        yield heard


@pytest.fixture
def in_app(app):
    with app.app_context():
        yield


# --- the list -------------------------------------------------------------------------------------------------------
def test_every_signal_has_its_class_and_every_class_its_signal():
    events = find_events()

    assert sorted(events) == signals.__all__
    assert {kind.__name__ for kind in events.values()} == {kind.__name__ for kind in Event.__subclasses__()}
    assert all(getattr(signals, name) is kind.signal for name, kind in events.items())


def rows_of_the_page():
    """Signal -> (what it is sent with, whether the audit trail keeps it)."""
    rows = {}
    for line in PAGE.splitlines():
        if match := re.match(r"\| `(\w+)` \| .* \| (`.*`) \| (yes|no) \|$", line):
            rows[match[1]] = (re.findall(r"`(\w+)`", match[2]), match[3] == "yes")
    return rows


def test_the_page_names_every_signal_with_its_arguments_and_whether_it_is_kept():
    assert rows_of_the_page() == {
        name: ([field.name for field in fields(kind)], kind.changes_rights) for name, kind in find_events().items()
    }


@pytest.mark.parametrize("name", signals.__all__)
def test_the_comment_of_a_signal_names_its_arguments(name):
    source = (CHECKOUT / "flask_private_key_jwt" / "signals/__init__.py").read_text(encoding="utf-8")
    comment = source.partition(f"\n{name} = ")[2].partition('"""')[2].partition('"""')[0]

    assert [field.name for field in fields(find_events()[name]) if f"``{field.name}``" not in comment] == []


# --- tokens and codes -----------------------------------------------------------------------------------------------
def test_a_token_is_issued(ask_token, heard):
    ask_token()

    assert heard.names()[-1] == "token_issued"
    issued = heard.of("token_issued")
    assert (issued["client_id"], issued["scope"], issued["audience"]) == (CLIENT_ID, ("read",), (API,))


def test_a_token_whose_code_was_spent_meanwhile_is_not_issued(app, get_code, redeem, heard, monkeypatch):
    code = get_code()
    store = app.extensions["private_key_jwt"].authorizations
    monkeypatch.setattr(store, "use_code", lambda code: False)

    assert redeem(code).status_code == 400
    assert "token_issued" not in heard.names()


def test_a_request_is_refused(ask_token, heard):
    ask_token(assertion="x")

    refused = heard.of("request_refused")
    assert (refused["endpoint"], refused["error"]) == ("token", "invalid_client")


def test_a_consent_is_given_and_a_code_issued_and_redeemed(get_code, redeem, heard):
    code = get_code()

    assert heard.names() == ["consent_given", "code_issued"]
    assert heard.of("consent_given") == {
        "client_id": APP_ID,
        "subject": "alice",
        "scope": ("read",),
        "resources": (API,),
    }
    issued = heard.of("code_issued")
    assert (issued["client_id"], issued["subject"], issued["scope"]) == (APP_ID, "alice", ("read",))
    assert code not in str(heard)

    heard.clear()
    assert redeem(code).status_code == 200
    assert heard.names() == ["signing_key_changed", "token_issued"]  # the very first key of the server


def test_what_a_person_allowed_before_is_a_code_and_no_consent(get_code, heard):
    get_code()
    heard.clear()

    get_code()

    assert heard.names() == ["code_issued"]


def test_who_says_no_gives_nothing(browser, webapp, heard):
    browser.sign_in()
    browser.decide(browser.open(build_request()), "deny")

    assert heard.names() == ["request_refused"]


def test_deny_after_allow_takes_back_what_was_given(browser, webapp, heard):
    browser.sign_in()
    page = browser.open(build_request())
    browser.decide(page)
    grant_id = heard.of("code_issued")["grant_id"]
    heard.clear()

    browser.decide(page, "deny")

    assert heard.names() == ["grant_revoked", "consent_withdrawn", "request_refused"]
    assert heard.of("grant_revoked") == {
        "grant_id": grant_id,
        "client_id": APP_ID,
        "subject": "alice",
        "because": "person",
    }
    assert heard.of("consent_withdrawn") == {"client_id": APP_ID, "subject": "alice", "by": "person"}


def test_a_code_that_is_shown_twice_revokes_its_grant(get_code, redeem, heard):
    code = get_code()
    redeem(code)
    heard.clear()

    redeem(code)

    assert heard.names() == ["grant_revoked", "request_refused"]
    assert heard.of("grant_revoked")["because"] == "code_used"


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_a_refresh_token_that_is_shown_too_late_revokes_its_grant(get_code, redeem, refresh, heard, clock):
    token = redeem(get_code()).json["refresh_token"]
    refresh(token)
    clock.move(61)
    heard.clear()

    refresh(token)

    assert heard.names() == ["grant_revoked", "request_refused"]
    assert heard.of("grant_revoked")["because"] == "refresh_token_reused"


def test_a_client_revokes_its_tokens(get_code, redeem, post, heard):
    answer = redeem(get_code()).json
    heard.clear()

    post("/oauth2/revoke", token=answer["access_token"])
    assert heard.names() == ["token_revoked"]
    revoked = heard.of("token_revoked")
    assert (revoked["client_id"], revoked["by"]) == (APP_ID, "client")
    heard.clear()

    post("/oauth2/revoke", token=answer["refresh_token"])
    assert heard.names() == ["grant_revoked"]
    assert heard.of("grant_revoked")["because"] == "client"


def test_a_token_that_is_not_revoked_is_no_event(webapp, post, heard):
    post("/oauth2/revoke", token="nobody's")

    assert heard.names() == ["request_refused"]


def test_the_operator_revokes_everything_of_a_person(oauth, get_code, redeem, in_app, heard):
    redeem(get_code())
    heard.clear()

    oauth.revoke(subject="alice")

    assert heard.names() == ["tokens_revoked", "consent_withdrawn", "grant_revoked"]
    assert heard.of("tokens_revoked") == {"client_id": None, "subject": "alice"}
    assert heard.of("consent_withdrawn") == {"client_id": None, "subject": "alice", "by": "operator"}
    assert heard.of("grant_revoked")["because"] == "operator"


def test_a_consent_that_nobody_gave_is_not_withdrawn(oauth, in_app, heard):
    oauth.revoke(subject="bob")

    assert heard.names() == ["tokens_revoked"]


def test_the_operator_revokes_one_token(oauth, in_app, heard):
    oauth.revoke_token("the jti")

    assert heard.of("token_revoked") == {"jti": "the jti", "client_id": None, "by": "operator"}


def test_a_request_is_pushed(push, heard, clock):
    push()

    assert heard.of("request_pushed") == {"client_id": APP_ID, "expires_at": clock.now + 90}


def test_a_pushed_request_that_is_refused_is_no_event(push, heard):
    push(scope="nothing")

    assert "request_pushed" not in heard.names()


def test_a_token_is_introspected(ask_token, introspect, heard):
    answer = ask_token().json
    heard.clear()

    introspect(answer["access_token"])
    assert heard.names() == ["token_introspected"]
    told = heard.of("token_introspected")
    assert (told["client_id"], told["holder"]) == (CLIENT_ID, CLIENT_ID)
    heard.clear()

    introspect("nobody's")
    assert heard.names() == ["request_refused"]


def test_a_call_of_userinfo_is_admitted(openid_app, browser, redeem, app, heard):
    browser.sign_in()
    code = answer_in(browser.decide(browser.open(build_request(scope="openid"))))["code"]
    token = redeem(code).json["access_token"]
    heard.clear()

    app.test_client().get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert heard.names() == ["call_admitted"]
    told = heard.of("call_admitted")
    assert (told["endpoint"], told["client_id"], told["subject"], told["scope"], told["jkt"]) == (
        "userinfo",
        APP_ID,
        "alice",
        ("openid",),
        None,
    )


# --- people ---------------------------------------------------------------------------------------------------------
def test_a_person_signs_out(oauth, browser, openid_app, heard, people):
    @oauth.sign_out
    def sign_out():
        pass

    browser.sign_in()
    page = browser.http.get(f"/oauth2/logout?{urlencode({'client_id': APP_ID})}")
    assert heard.names() == []  # they were only asked
    token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]
    action = re.search(r'action="([^"]*)"', page.text)[1].replace("&amp;", "&")

    browser.http.post(action, data={"decision_token": token, "decision": "stay"})
    assert heard.names() == []

    page = browser.http.get(f"/oauth2/logout?{urlencode({'client_id': APP_ID})}")
    token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]
    browser.http.post(action, data={"decision_token": token, "decision": "sign_out"})
    assert heard.of("signed_out") == {"subject": "alice", "client_id": APP_ID}


# --- clients --------------------------------------------------------------------------------------------------------
@pytest.fixture
def new_client(oauth, in_app, heard, client_key):
    def add(**changes):
        return oauth.clients.add(
            {"client_id": "new", "jwks": {"keys": [client_key.public_jwk()]}, "scope": "read", **changes}
        )

    return add


def test_the_operator_registers_a_client(new_client, client_key, heard):
    new_client()

    assert heard.names() == ["client_registered", "client_keys_changed"]
    assert heard.of("client_registered") == {"client_id": "new", "by": "operator"}
    assert heard.of("client_keys_changed") == {
        "client_id": "new",
        "added": (client_key.public.thumbprint,),
        "removed": (),
    }


def test_a_client_that_is_taken_is_no_event(new_client, heard):
    new_client()
    heard.clear()

    with pytest.raises(Exception, match="registered already"):
        new_client()
    assert heard == []


def test_the_operator_changes_a_client_and_the_values_are_not_told(oauth, new_client, heard):
    new_client()
    heard.clear()

    oauth.clients.update("new", {"scope": "read secret-scope", "client_name": "A new name"})

    assert heard.names() == ["client_changed"]
    assert heard.of("client_changed") == {
        "client_id": "new",
        "by": "operator",
        "members": ("client_name", "scope"),
        "enabled": True,
    }


def test_a_change_of_nothing_is_no_event(oauth, new_client, heard):
    new_client()
    heard.clear()

    oauth.clients.update("new", {"scope": "read"})

    assert heard == []


def test_the_operator_changes_the_keys_of_a_client(oauth, new_client, keys, client_key, heard):
    new_client()
    other = keys("ES256", "other")
    heard.clear()

    oauth.clients.add_keys("new", {"keys": [other.public_jwk()]})
    assert heard.names() == ["client_changed", "client_keys_changed"]
    assert heard.of("client_keys_changed")["added"] == (other.public.thumbprint,)
    heard.clear()

    oauth.clients.retire_key("new", client_key.public.thumbprint)
    assert heard.of("client_keys_changed") == {
        "client_id": "new",
        "added": (),
        "removed": (client_key.public.thumbprint,),
    }


@pytest.fixture
def secrets(oauth, in_app, new_client, heard):
    """The registry of secrets; what was heard before is forgotten."""
    new_client()
    heard.clear()
    return oauth.clients.secrets


with_secrets = pytest.mark.parametrize("settings", [{"OAUTH2_CLIENT_SECRETS_UNTIL": "2040-01-01"}])


def told_of_secrets(**changed):
    return {"client_id": "new", "added": (), "ended": (), "removed": (), "ends_at": None, **changed}


@with_secrets
def test_the_operator_gives_ends_and_removes_a_secret(secrets, heard):
    first = secrets.give("new")
    assert heard == [("client_secrets_changed", told_of_secrets(added=(first.described.name,)))]
    second = secrets.give("new")
    both = tuple(sorted([first.described.name, second.described.name]))
    heard.clear()

    secrets.end("new", until="2030-01-01")
    assert heard == [("client_secrets_changed", told_of_secrets(ended=both, ends_at=1893456000))]
    heard.clear()

    secrets.end("new", until=None, name=both[0])
    assert heard == [("client_secrets_changed", told_of_secrets(ended=both[:1]))]
    heard.clear()

    secrets.remove("new", name=both[0])
    secrets.remove("new")
    assert heard == [
        ("client_secrets_changed", told_of_secrets(removed=both[:1])),
        ("client_secrets_changed", told_of_secrets(removed=both[1:])),
    ]


@with_secrets
def test_a_replaced_secret_ends_with_the_same_event(secrets, heard):
    first = secrets.give("new")
    heard.clear()

    second = secrets.replace("new", overlap_seconds=600)

    names = {"added": (second.described.name,), "ended": (first.described.name,), "ends_at": START + 600}
    assert heard == [("client_secrets_changed", told_of_secrets(**names))]
    for given in (first, second):
        assert given.secret not in str(heard)


@with_secrets
def test_what_changes_no_secret_is_no_event(app, secrets, heard):
    given = secrets.give("new")
    heard.clear()

    for change in (
        lambda: secrets.give("new", secret="too short"),
        lambda: secrets.replace("new", method="client_secret_jwt"),
        lambda: secrets.end("new", until="2030-01-01", name="no such"),
        lambda: secrets.remove("new", name="no such"),
    ):
        with pytest.raises(InvalidClientMetadata):
            change()
    assert heard == []

    shown = {"client_id": "new", "client_secret": given.secret}
    with_it = {"grant_type": "client_credentials", **shown}
    app.test_client().post("/oauth2/token", data=with_it)
    assert "client_secrets_changed" not in heard.names()


def test_the_operator_disables_vouches_for_and_removes_a_client(oauth, new_client, heard):
    new_client()
    heard.clear()

    oauth.clients.disable("new")
    assert heard.of("client_changed")["members"] == ("enabled",)
    assert heard.of("client_changed")["enabled"] is False
    heard.clear()

    oauth.clients.vouch("new", vouched=False)
    assert heard.of("client_changed")["members"] == ("registered_by",)
    heard.clear()

    oauth.clients.remove("new")
    assert heard == [("client_removed", {"client_id": "new", "by": "operator"})]


@pytest.mark.parametrize("settings", [{"OAUTH2_REGISTRATION": "token"}])
def test_a_client_registers_changes_and_removes_itself(app, in_app, client_key, keys, heard):
    token, kept = current_state().registration_tokens.create(uses=1, lifetime=60)
    assert heard.of("registration_token_created")["token_id"] == kept.id
    assert token not in str(heard)
    heard.clear()

    metadata = {"jwks": {"keys": [client_key.public_jwk()]}, "scope": "read"}
    http = app.test_client()
    made = http.post(REGISTER, json=metadata, headers={"Authorization": f"Bearer {token}"}).json
    assert heard.of("client_registered") == {"client_id": made["client_id"], "by": "client"}
    heard.clear()

    sent = {"Authorization": f"Bearer {made['registration_access_token']}"}
    place = made["registration_client_uri"]
    http.patch(place, json={"client_name": "Mine", "jwks": {"keys": [keys().public_jwk()]}}, headers=sent)
    assert (heard.of("client_changed")["by"], heard.of("client_changed")["members"]) == (
        "client",
        ("client_name", "jwks"),
    )
    assert len(heard.of("client_keys_changed")["added"]) == 1
    heard.clear()

    http.delete(place, headers=sent)
    assert heard == [("client_removed", {"client_id": made["client_id"], "by": "client"})]


def test_a_registration_token_is_revoked_once(in_app, app, heard):
    tokens = current_state().registration_tokens
    _, kept = tokens.create(uses=1, lifetime=60)
    heard.clear()

    assert [tokens.revoke(kept), tokens.revoke(kept)] == [True, False]
    assert heard == [("registration_token_revoked", {"token_id": kept.id})]


# --- the server's keys ----------------------------------------------------------------------------------------------
def test_signing_keys_are_made_brought_forward_reencrypted_and_retired(in_app, heard, clock):
    keys = current_state().server_keys
    keys.current()
    assert heard.of("signing_key_changed")["change"] == "made"
    heard.clear()

    keys.rotate(at_once=False)
    assert heard.of("signing_key_changed")["change"] == "made"
    assert heard.of("signing_key_changed")["signs_from"] > clock.now
    heard.clear()

    rotated = keys.rotate(at_once=True)
    assert heard.of("signing_key_changed") == {
        "kid": rotated.kid,
        "alg": "ES256",
        "change": "brought_forward",
        "signs_from": clock.now,
    }
    heard.clear()

    keys.reencrypt()
    assert {arguments["change"] for _, arguments in heard} == {"reencrypted"}
    heard.clear()

    keys.retire(rotated.kid)
    assert [arguments["change"] for _, arguments in heard] == ["made", "retired"]


def test_a_dry_run_is_no_event(in_app, heard):
    keys = current_state().server_keys
    keys.current()
    heard.clear()

    keys.rotate(at_once=True, dry_run=True)

    assert heard == []


# --- receivers ------------------------------------------------------------------------------------------------------
def test_a_receiver_that_raises_does_not_change_the_answer(app, ask_token, caplog):
    def broken(sender, **event):
        raise RuntimeError("mine")

    with signals.token_issued.connected_to(broken, sender=app):
        assert ask_token().status_code == 200
    assert "a receiver of token_issued failed" in caplog.text


def test_a_receiver_that_raises_does_not_undo_a_change(app, oauth, new_client, caplog):
    def broken(sender, **event):
        raise RuntimeError("mine")

    with signals.client_registered.connected_to(broken, sender=app):
        new_client()

    assert oauth.clients.get("new").client_id == "new"
    assert "a receiver of client_registered failed" in caplog.text


def test_what_the_database_refuses_is_no_event(server, new_client, heard):
    _, _, db = server
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE oauth2_client_key"))

    with pytest.raises(StoreUnavailable):
        new_client()
    assert heard == []


def test_a_receiver_of_another_app_hears_nothing(ask_token):
    heard = []
    with signals.token_issued.connected_to(lambda sender, **event: heard.append(event), sender=object()):
        ask_token()

    assert heard == []


def test_no_event_holds_a_secret(
    browser, webapp, get_code, redeem, refresh, build_assertion, post, oauth, in_app, heard
):
    signed = build_assertion(iss=APP_ID, sub=APP_ID)
    code = get_code()
    answer = redeem(code, assertion=signed).json
    refresh(answer["refresh_token"])
    post("/oauth2/revoke", token=answer["access_token"])
    post("/oauth2/revoke", token=answer["refresh_token"])
    oauth.revoke(client_id=APP_ID)

    for secret in (signed, code, answer["access_token"], answer["refresh_token"]):
        assert secret not in str(heard)
    assert REDIRECT_URI not in str(heard)
