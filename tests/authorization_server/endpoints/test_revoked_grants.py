"""Refresh tokens at introspection and revocation, and what ends with a grant, a person or a client."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from flask_private_key_jwt.authorization_server.registration.metadata import describe_client
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.derived import Secrets
from tests.authorization_server.conftest import APP_ID, Browser, answer_in, build_request
from tests.conftest import API, INVALID_CLIENT, INVALID_REQUEST, ISSUER
from tests.refusals import causes

INACTIVE = b'{"active": false}'
INVALID_GRANT = {"error": "invalid_grant", "error_description": "The grant is invalid, expired or revoked."}
DAY = 86400


@pytest.fixture
def tokens(get_code, redeem):
    """What alice allowed the web application."""
    return redeem(get_code(scope="read write")).json


@pytest.fixture
def other(register, client_key):
    return register(
        client_id="other",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://other.example/"],
        scope="read write",
        introspection_resources=[API],
    )


@pytest.fixture
def is_active(introspect):
    return lambda token, by=APP_ID: introspect(token, by=by).json["active"]


# --- introspection ------------------------------------------------------------------------------------------------
def test_client_reads_what_its_refresh_token_stands_for(introspect, tokens, clock):
    answer = introspect(tokens["refresh_token"], by=APP_ID)

    assert answer.json == {
        "active": True,
        "iss": ISSUER,
        "sub": "alice",
        "client_id": APP_ID,
        "scope": "read write",
        "exp": clock.now + 30 * DAY,
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_access_token_says_who_signed_in_and_when(introspect, tokens, clock):
    answer = introspect(tokens["access_token"], by=APP_ID).json

    assert (answer["sub"], answer["auth_time"], answer["scope"]) == ("alice", clock.now, "read write")
    assert "grant_id" not in answer


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "x"])
def test_hint_changes_nothing(hint, introspect, tokens):
    assert introspect(tokens["refresh_token"], by=APP_ID, token_type_hint=hint).json["active"] is True


def test_refresh_token_is_shown_to_nobody_else_whatever_a_policy_says(oauth, introspect, tokens, other, refusals):
    oauth.introspection_policy(lambda *_: True)

    assert introspect(tokens["refresh_token"], by="other").data == INACTIVE
    assert refusals == [f"the refresh token belongs to client {APP_ID!r}"]
    assert causes(refusals) == ["refresh_token_foreign"]
    assert introspect(tokens["access_token"], by="other").json["active"] is True


@pytest.mark.parametrize(("days", "active"), [(29, True), (30, False)])
def test_refresh_token_that_nobody_uses_becomes_inactive(days, active, tokens, is_active, clock):
    clock.move(days * DAY)

    assert is_active(tokens["refresh_token"]) is active


def test_look_does_not_count_as_a_use(tokens, is_active, refresh, clock):
    clock.move(29 * DAY)
    assert is_active(tokens["refresh_token"])
    clock.move(2 * DAY)

    assert not is_active(tokens["refresh_token"])
    assert refresh(tokens["refresh_token"]).json == INVALID_GRANT


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_look_at_a_replaced_token_revokes_nothing(introspect, tokens, refresh, is_active, clock, refusals):
    first = tokens["refresh_token"]
    second = refresh(first).json["refresh_token"]
    assert introspect(first, by=APP_ID).json["exp"] == clock.now + 60  # for a client that did not get the answer
    clock.move(59)
    assert is_active(first)
    clock.move(1)

    assert introspect(first, by=APP_ID).data == INACTIVE
    assert causes(refusals) == ["refresh_token_ended"]
    assert is_active(second)


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_replaced_token_is_inactive_once_its_successor_is_used(introspect, tokens, refresh, is_active, refusals):
    first = tokens["refresh_token"]
    second = refresh(first).json["refresh_token"]
    assert is_active(first)
    third = refresh(second).json["refresh_token"]

    assert introspect(first, by=APP_ID).data == INACTIVE
    assert causes(refusals) == ["refresh_token_ended"]
    assert [is_active(second), is_active(third)] == [True, True]


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_replaced_token_is_inactive_where_its_successor_is_not_to_be_found(app, tokens, refresh, introspect, is_active):
    first = tokens["refresh_token"]
    second = refresh(first).json["refresh_token"]
    refresh_tokens = app.extensions["private_key_jwt"].server.refresh_tokens
    refresh_tokens._secrets = Secrets(("another secret for tests only, long too",))
    refresh_tokens.__dict__.pop("_keys", None)

    assert introspect(first, by=APP_ID).data == INACTIVE
    assert is_active(second)
    assert refresh(second).status_code == 200
    assert is_active(tokens["access_token"])


def test_refresh_token_of_a_client_that_became_public_is_inactive(app, oauth, tokens, register, client_key, introspect):
    """It was given out while the client had to authenticate; now anybody could be that client."""
    state = app.extensions["private_key_jwt"]
    with app.app_context():
        stored = state.server.refresh_tokens.find(tokens["refresh_token"])
        oauth.clients.update(
            APP_ID, {"token_endpoint_auth_method": "none", "jwks": None, "dpop_bound_access_tokens": True}
        )
        client = oauth.clients.get(APP_ID)
        assert client.is_public
        assert not state.server.refresh_tokens.is_active(tokens["refresh_token"], stored, client)


def test_refresh_token_that_was_made_while_its_grant_was_revoked_is_inactive(
    app, tokens, introspect, refresh, refusals
):
    """The request was under way: it had looked before the revocation, and wrote after it."""
    server = app.extensions["private_key_jwt"].server
    with app.app_context():
        stored = server.refresh_tokens.find(tokens["refresh_token"])
        server.revocations.revoke_grant(stored.granted, because="client")
        late = server.refresh_tokens.issue(stored.granted, server.clients.find(APP_ID), None)

    assert introspect(late, by=APP_ID).data == INACTIVE
    assert refresh(late).json == INVALID_GRANT
    assert causes(refusals) == [
        "refresh_token_ended",
        "refresh_token_grant_revoked",
    ]


# --- revocation ---------------------------------------------------------------------------------------------------
def test_refresh_token_is_revoked_with_all_that_came_of_its_grant(revoke, tokens, refresh, is_active):
    later = refresh(tokens["refresh_token"]).json["access_token"]

    assert revoke(tokens["refresh_token"], by=APP_ID).status_code == 200

    assert not any(is_active(token) for token in (tokens["refresh_token"], tokens["access_token"], later))
    assert refresh(tokens["refresh_token"]).json == INVALID_GRANT


def test_other_grants_of_the_same_person_and_client_stay(get_code, redeem, revoke, tokens, is_active):
    other = redeem(get_code(scope="read write")).json

    revoke(tokens["refresh_token"], by=APP_ID)

    assert is_active(other["refresh_token"])
    assert is_active(other["access_token"])


def test_access_token_is_revoked_alone(revoke, tokens, refresh, is_active):
    assert revoke(tokens["access_token"], by=APP_ID).data == b""

    assert not is_active(tokens["access_token"])
    assert is_active(tokens["refresh_token"])
    assert is_active(refresh(tokens["refresh_token"]).json["access_token"])


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_token_of_another_client_is_refused_and_stays(kind, revoke, tokens, other, is_active, refusals):
    answer = revoke(tokens[kind], by="other")

    assert (answer.status_code, answer.json) == (400, INVALID_REQUEST)
    assert refusals == [f"the token belongs to client {APP_ID!r}"]
    assert causes(refusals) == ["token_foreign"]
    assert is_active(tokens[kind])


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_replaced_refresh_token_still_revokes_its_grant(revoke, tokens, refresh, is_active, clock):
    second = refresh(tokens["refresh_token"]).json["refresh_token"]
    clock.move(61)

    assert revoke(tokens["refresh_token"], by=APP_ID).status_code == 200

    assert not is_active(second)


def test_expired_refresh_token_needs_no_revoking(revoke, tokens, clock, refusals):
    clock.move(31 * DAY)

    assert revoke(tokens["refresh_token"], by=APP_ID).data == b""
    assert causes(refusals) == ["refresh_token_expired"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all", "OAUTH2_REPLAY_STORE": "sql"}])
def test_nothing_survives_a_revocation_that_meets_refreshes(revoke, tokens, refresh, is_active, build_assertion):
    """Those under way have looked before and write afterwards."""
    assertions = [build_assertion(iss=APP_ID, sub=APP_ID) for _ in range(9)]

    def act(number):
        if number == 4:
            return revoke(tokens["refresh_token"], by=APP_ID, assertion=assertions[number])
        return refresh(tokens["refresh_token"], assertion=assertions[number])

    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(act, range(9)))

    assert answers[4].status_code == 200
    made = [answer.json for number, answer in enumerate(answers) if number != 4 and answer.status_code == 200]
    assert not any(is_active(answer[kind]) for answer in made for kind in ("access_token", "refresh_token"))
    assert not is_active(tokens["access_token"])


# --- public clients -----------------------------------------------------------------------------------------------
@pytest.fixture
def public_tokens(app, native, post, build_dpop):
    """What alice allowed the program on her device."""
    redirect_uri = "http://127.0.0.1:4/callback"
    browser = Browser(app).sign_in()
    page = browser.open(build_request(client_id="native", redirect_uri=redirect_uri))
    code = browser.decide(page).headers["Location"].partition("code=")[2].partition("&")[0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": "v" * 43}
    return post("/oauth2/token", assertion=False, client_id="native", proof=build_dpop(), **form).json


def test_public_client_revokes_its_own_tokens_by_its_word(post, public_tokens, other, introspect, refusals):
    """Whoever holds the token may end it; RFC 7009 asks for no proof of its key."""
    assert introspect(public_tokens["access_token"], by="other").json["active"] is True

    answer = post("/oauth2/revoke", assertion=False, client_id="native", token=public_tokens["refresh_token"])

    assert (answer.status_code, answer.data) == (200, b"")
    assert introspect(public_tokens["access_token"], by="other").data == INACTIVE
    assert causes(refusals) == ["token_revoked"]


def test_public_client_revokes_nobody_else_s_token_and_learns_nothing_of_it(
    post, public_tokens, tokens, is_active, refusals
):
    """Anybody could be that client."""
    unknown = post("/oauth2/revoke", assertion=False, client_id="native", token="x")
    refusals.clear()

    for token in (tokens["refresh_token"], tokens["access_token"]):
        answer = post("/oauth2/revoke", assertion=False, client_id="native", token=token)

        assert (answer.status_code, answer.data) == (200, b"")
        assert [name for name, _ in answer.headers] == [name for name, _ in unknown.headers]
        assert is_active(token)
    assert refusals == [f"the token belongs to client {APP_ID!r}"] * 2
    assert causes(refusals) == ["token_foreign"] * 2


def test_public_client_may_not_introspect(post, public_tokens, refusals):
    for token in (public_tokens["refresh_token"], public_tokens["access_token"], "x", None):
        answer = post("/oauth2/introspect", assertion=False, client_id="native", token=token)

        assert (answer.status_code, answer.json) == (401, INVALID_CLIENT)
        assert "WWW-Authenticate" in answer.headers
    assert causes(refusals) == ["public_client_introspects"] * 4


def test_refresh_token_says_its_key_to_a_client_that_was_public(
    app, oauth, public_tokens, introspect, client_key, proof_key
):
    """It stays bound to that key, though the client has one of its own by now."""
    with app.app_context():
        changes = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [client_key.public_jwk()]}}
        oauth.clients.update("native", changes)

    answer = introspect(public_tokens["refresh_token"], by="native").json

    assert (answer["active"], answer["cnf"]) == (True, {"jkt": proof_key.public.thumbprint})


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2", "OAUTH2_REPLAY_STORE": "sql"}])
def test_public_client_has_no_part_in_fapi2(app, people, post, refusals):
    assert post("/oauth2/revoke", assertion=False, client_id="native", token="x").json == INVALID_CLIENT


# --- all at once ----------------------------------------------------------------------------------------------------
def test_second_use_of_a_code_ends_its_access_tokens(get_code, redeem, is_active):
    code = get_code()
    first = redeem(code).json["access_token"]
    assert is_active(first)

    redeem(code)

    assert not is_active(first)


@pytest.mark.parametrize(
    ("whose", "ends"),
    [
        ({"subject": "alice"}, {"alice"}),
        ({"client_id": APP_ID}, {"alice", "bob"}),
        ({"subject": "bob", "client_id": APP_ID}, {"bob"}),
        ({"subject": "Alice"}, set()),
        ({"subject": "alice", "client_id": "other"}, set()),
    ],
)
def test_person_or_client_ends_with_all_tokens(whose, ends, app, oauth, webapp, redeem, is_active):
    tokens = {}
    for name in ("alice", "bob"):
        browser = Browser(app).sign_in(name)
        code = answer_in(browser.decide(browser.open(build_request())))["code"]
        tokens[name] = redeem(code).json

    with app.app_context():
        assert oauth.revoke(**whose) == len(ends)

    for name, held in tokens.items():
        assert [is_active(held[kind]) for kind in ("access_token", "refresh_token")] == [name not in ends] * 2


WHOSE = [{"subject": "alice"}, {"client_id": APP_ID}, {"subject": "alice", "client_id": APP_ID}]


@pytest.fixture
def revoke_around(app, oauth, monkeypatch):
    """Revoke, while another request does something after the grants were looked up."""

    def revoke_around(act, **whose):
        refresh_tokens = app.extensions["private_key_jwt"].refresh_tokens
        find_grants = refresh_tokens.find_grants

        def find_then_act(holder):
            found = find_grants(holder)
            act()
            return found

        with monkeypatch.context() as patch, app.app_context():
            patch.setattr(refresh_tokens, "find_grants", find_then_act)
            oauth.revoke(**whose)

    return revoke_around


@pytest.mark.parametrize("whose", WHOSE)
def test_code_that_is_made_while_its_holder_is_revoked_cannot_be_redeemed(
    whose, revoke_around, get_code, redeem, clock, caplog
):
    codes = []
    revoke_around(lambda: codes.append(get_code()), **whose)
    clock.move(1)

    assert redeem(codes[0]).json == INVALID_GRANT
    assert "[cause grant_revoked," in caplog.text
    assert redeem(get_code()).status_code == 200


@pytest.mark.parametrize("whose", [{"subject": "bob"}, {"client_id": "other"}, {"subject": "bob", "client_id": APP_ID}])
def test_code_that_is_made_while_somebody_else_is_revoked_is_redeemed(whose, revoke_around, get_code, redeem, clock):
    codes = []
    revoke_around(lambda: codes.append(get_code()), **whose)

    assert redeem(codes[0]).status_code == 200


@pytest.mark.parametrize("whose", WHOSE)
def test_refresh_token_that_is_stored_after_its_holder_was_revoked_is_useless(
    whose, app, oauth, tokens, introspect, is_active, refresh, clock, caplog
):
    """The code of its grant was stored after the grants had been looked up."""
    server = app.extensions["private_key_jwt"].server
    with app.app_context():
        granted = replace(server.refresh_tokens.find(tokens["refresh_token"]).granted, grant_id="not looked up")
        oauth.revoke(**whose)
        clock.move(1)
        client = server.clients.find(APP_ID)
        late = server.refresh_tokens.issue(granted, client, None)
        fresh = server.refresh_tokens.issue(replace(granted, granted_at=clock.now), client, None)

    assert introspect(late, by=APP_ID).data == INACTIVE
    assert refresh(late).json == INVALID_GRANT
    assert "[cause refresh_token_grant_revoked," in caplog.text
    assert is_active(fresh)
    assert refresh(fresh).status_code == 200


def test_code_for_a_consent_that_was_read_before_the_revocation_cannot_be_redeemed(
    app, oauth, get_code, redeem, clock, monkeypatch, caplog
):
    redeem(get_code())
    authorizations = app.extensions["private_key_jwt"].authorizations
    find_consent = authorizations.find_consent

    def find_then_revoke(client_id, subject, *, place):
        found = find_consent(client_id, subject, place=place)
        oauth.revoke(subject="alice")
        clock.move(1)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(authorizations, "find_consent", find_then_revoke)
        code = get_code()

    assert redeem(code).json == INVALID_GRANT
    assert "[cause grant_revoked," in caplog.text
    assert redeem(get_code()).status_code == 200  # asked anew


def test_second_click_after_a_revocation_gives_nothing(app, oauth, browser, webapp, redeem, clock, caplog):
    page = browser.sign_in().open(build_request())
    assert redeem(answer_in(browser.decide(page))["code"]).status_code == 200
    with app.app_context():
        oauth.revoke(subject="alice")
    clock.move(1)

    assert redeem(answer_in(browser.decide(page))["code"]).json == INVALID_GRANT
    assert "[cause grant_revoked," in caplog.text
    page = browser.open(build_request(prompt="consent"))
    assert redeem(answer_in(browser.decide(page))["code"]).status_code == 200


def test_access_token_without_a_refresh_token_ends_with_the_person(app, oauth, webapp, get_code, redeem, is_active):
    with app.app_context():
        oauth.clients.update(APP_ID, {"grant_types": ["authorization_code"]})
    token = redeem(get_code()).json["access_token"]
    with app.app_context():
        app.extensions["private_key_jwt"].authorizations.purge()
        oauth.revoke(subject="alice")

    assert not is_active(token)


def test_refresh_token_that_was_made_while_its_client_was_removed_is_not_the_next_one_s(
    app, oauth, tokens, webapp, refresh, introspect, clock, refusals
):
    """The request was under way; and another client has come by the name since."""
    server = app.extensions["private_key_jwt"].server
    with app.app_context():
        registered = oauth.clients.get(APP_ID)
        stored = server.refresh_tokens.find(tokens["refresh_token"])
        oauth.clients.remove(APP_ID)
        late = server.refresh_tokens.issue(stored.granted, registered, None)
        clock.move(1)
        oauth.clients.add(describe_client(registered))

    assert introspect(late, by=APP_ID).data == INACTIVE
    assert refresh(late).json == INVALID_GRANT
    assert refusals[-1].cause == "refresh_token_grant_revoked"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_tokens_end_with_the_client(kind, app, oauth, tokens, other, webapp, introspect, register, client_key, clock):
    with app.app_context():
        oauth.clients.remove(APP_ID)
    clock.move(1)
    assert introspect(tokens[kind], by="other").data == INACTIVE

    register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://app.example/"],
        scope="read write",
    )
    assert introspect(tokens[kind], by=APP_ID).data == INACTIVE


def test_names_of_one_kind_never_pass_for_another(app, oauth, tokens, is_active):
    """A jti that is somebody's client_id, say."""
    claims = jose.decode_unverified(tokens["access_token"])[1]
    with app.app_context():
        for name in ("alice", APP_ID, claims["grant_id"]):
            oauth.revoke_token(name)
        for name in (claims["jti"], claims["grant_id"], APP_ID):
            oauth.revoke(subject=name)
        oauth.revoke(client_id="alice")

    assert is_active(tokens["access_token"])
    assert is_active(tokens["refresh_token"])
