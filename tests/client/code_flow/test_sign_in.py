"""AuthorizationCodeClient against our own server: people sign in, the tokens are bound, renewed, and given back."""

import threading
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import flask
import pytest
import requests

from flask_private_key_jwt.client import (
    AuthorizationCodeClient,
    DiscoveryError,
    FileTokenStore,
    MappingTokenStore,
    PushError,
    SignInError,
    SignInRequired,
    TokenRequestError,
)
from flask_private_key_jwt.errors import ConfigurationError
from tests.client.code_flow.people import Login, register
from tests.third_party.person import PERSON, REDIRECT_URI, decide, serving_people


@pytest.fixture(scope="module", params=["off", "required"], ids=["without nonces", "with nonces"])
def site(request, tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people"), OAUTH2_DPOP_NONCE=request.param) as site:
        site.oauth.user_claims(lambda subject, scope: {"email": f"{subject}@example.org"})
        yield site


@pytest.fixture(scope="module")
def client_id(site, keys):
    return register(site, keys("ES256", "web client"))


@pytest.fixture
def make_login(site, client_id, keys):
    def make_login(**options):
        key = {"key": keys("ES256", "web client"), "dpop_key": keys("ES256", "web proof")}
        return Login(site, AuthorizationCodeClient(site.issuer, client_id, **{**key, **options}))

    return make_login


@pytest.fixture
def login(make_login):
    return make_login()


def test_person_signs_in_and_the_client_acts_for_them(login, site):
    tokens = login.sign_in()

    assert (tokens.subject, tokens.token.token_type, tokens.token.scope) == (PERSON, "DPoP", "openid email read")
    assert tokens.claims["aud"] == login.client.client_id
    answer = requests.get(site.bound_values, auth=login.client.auth(login.store, resource=site.api), timeout=5)
    assert answer.json()["cnf"] == {"jkt": tokens.jkt}


def test_request_is_pushed_so_that_the_url_says_nothing(login):
    query = parse_qs(urlsplit(login.start().url).query)

    assert sorted(query) == ["client_id", "request_uri"]


def test_userinfo_tells_more(login):
    login.sign_in()

    assert login.client.userinfo(login.store) == {"sub": PERSON, "email": f"{PERSON}@example.org"}


def test_code_is_bound_to_the_key_of_the_request(login, make_login, keys, site):
    request = login.start()
    back = login.answer(request)

    with pytest.raises(SignInError) as caught:
        make_login(dpop_key=keys("ES256", "thief")).client.finish(back, request.pending)
    assert caught.value.cause == "sign_in_key"
    assert login.client.finish(back, request.pending).subject == PERSON  # nothing was spent


@pytest.mark.parametrize("par", [True, False], ids=["by the proof", "by dpop_jkt"])
def test_server_knows_the_key_that_the_code_is_bound_to(par, login, make_login, keys, site, monkeypatch):
    if not par:
        monkeypatch.setattr("flask_private_key_jwt.client.code_flow.flow_steps._pushes", lambda _metadata: False)
    request = login.start()
    assert ("dpop_jkt=" in request.url) is not par
    back = login.answer(request)
    thief = make_login(dpop_key=keys("ES256", "thief"))
    stolen = replace(request.pending, jkt=keys("ES256", "thief").public.thumbprint)

    with pytest.raises(SignInError) as caught:
        thief.client.finish(back, stolen)
    assert caught.value.cause == "sign_in_code_refused"
    assert site.refusals[-1].cause == "code_key_mismatch"
    assert login.client.finish(back, request.pending).subject == PERSON


def test_pending_sign_in_survives_in_a_session(login):
    request = login.start()

    assert login.client.finish(login.answer(request), request.pending.to_json()).subject == PERSON


@pytest.mark.parametrize("way", [{"sign_requests": True}, {"dpop": False, "dpop_key": None}])
def test_other_ways_to_ask(way, make_login):
    tokens = make_login(**way).sign_in()

    assert (tokens.subject, tokens.token.token_type) == (PERSON, "Bearer" if "dpop" in way else "DPoP")


def test_person_says_no(login):
    request = login.start()

    with pytest.raises(SignInError) as caught:
        login.client.finish(login.answer(request, "deny"), request.pending)
    assert (caught.value.cause, caught.value.error) == ("sign_in_refused", "access_denied")


def test_answer_counts_once(login, site):
    request = login.start()
    back = login.answer(request)
    tokens = login.client.finish(back, request.pending)
    login.store.save(tokens)
    site.refusals.clear()

    with pytest.raises(SignInError) as caught:
        login.client.finish(back, request.pending)

    assert caught.value.cause == "sign_in_used"
    assert site.refusals == []  # the server did not see the code again, so it revoked nothing
    assert login.client.userinfo(login.store)["sub"] == PERSON


def test_two_tabs_at_once_do_not_disturb_each_other(login):
    one, other = login.start(), login.start()
    back, other_back = login.answer(one), login.answer(other)

    assert login.client.finish(other_back, other.pending).subject == PERSON
    with pytest.raises(SignInError) as caught:
        login.client.finish(back, other.pending)
    assert caught.value.cause == "sign_in_state"
    assert login.client.finish(back, one.pending).subject == PERSON


def test_code_that_was_slipped_in_is_useless(login):
    """An attacker's code in a victim's browser, with the victim's state: PKCE refuses it (RFC 9700 §4.5)."""
    attackers, victims = login.start(), login.start()
    code = parse_qs(urlsplit(login.answer(attackers)).query)["code"][0]

    with pytest.raises(SignInError) as caught:
        login.client.finish({"code": code, "state": victims.pending.state, "iss": login.site.issuer}, victims.pending)
    assert (caught.value.cause, caught.value.error) == ("sign_in_code_refused", "invalid_grant")
    assert login.site.refusals[-1].cause == "code_verifier_mismatch"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scope": "openid payroll"}, "invalid_scope"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_request_that_the_server_does_not_take_is_told_before_anybody_leaves(change, error, login):
    with pytest.raises(PushError) as caught:
        login.start(**change)
    assert caught.value.error == error
    assert caught.value.reference


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"redirect_uri": "http://app.example/callback"}, "must use https"),
        ({"redirect_uri": "https://app.example/#x"}, "without a fragment"),
        ({"redirect_uri": "javascript:alert(1)"}, "must be an https URL"),
        ({"redirect_uri": ""}, "must be an absolute URL"),
        ({"more": {"state": "mine"}}, "state is set by this client"),
        ({"more": {"redirect_uri": "https://x.example"}}, "redirect_uri is set by this client"),
    ],
)
def test_request_that_makes_no_sense_is_refused_here(change, says, login):
    with pytest.raises(ConfigurationError, match=says):
        login.start(**change)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"key": None, "sign_requests": True}, "give the key, too"),
        ({"key": None, "kid": "x"}, "kid belongs to a key"),
        ({"key": None, "audience": "https://as.example/token"}, "audience belongs to a key"),
        ({"dpop": False}, "dpop_key without dpop=True"),
        ({"timeout": 0}, "timeout must be more than 0"),
    ],
)
def test_client_that_makes_no_sense_is_refused(options, says, make_login):
    with pytest.raises(ConfigurationError, match=says):
        make_login(**options)


def test_what_is_asked_for_reaches_the_server(login):
    request = login.start(max_age=60, more={"login_hint": "alice", "ui_locales": None})

    assert login.client.finish(login.answer(request), request.pending).claims["auth_time"]


# --- a public client --------------------------------------------------------------------------------------------
@pytest.fixture
def public_login(site, keys):
    client_id = register(site)
    return Login(site, AuthorizationCodeClient(site.issuer, client_id, dpop_key=keys("ES256", "native proof")))


def test_public_client_signs_in_and_its_refresh_token_rotates(public_login, clock, site):
    first = public_login.sign_in(redirect_uri="http://127.0.0.1:1234/callback")
    clock.move(600)

    auth = public_login.client.auth(public_login.store, resource=site.api)
    assert requests.get(site.bound_values, auth=auth, timeout=5).status_code == 200

    renewed = public_login.store.load()
    assert renewed.refresh_token != first.refresh_token
    assert (renewed.subject, renewed.token.scope) == (PERSON, first.token.scope)


def test_sign_in_with_the_browser_of_this_machine(public_login, site):
    def browse(url):
        requests.get(decide(site, url), timeout=5)

    public_login.client.sign_in_with_browser(
        public_login.store, scope="openid read", resource=site.api, open_browser=browse, patience_seconds=5
    )

    assert public_login.store.load().subject == PERSON


def test_real_browser_comes_back_to_the_listener(public_login, chromium):
    def browse(url):
        chromium.open(url)
        chromium.press("button[value=allow]")

    tokens = public_login.client.sign_in_with_browser(public_login.store, scope="openid", open_browser=browse)

    assert tokens.subject == PERSON
    chromium.wait_for_text("body", "You may close this page.")


def test_real_browser_shows_that_the_person_said_no(public_login, chromium):
    def browse(url):
        chromium.open(url)
        chromium.press("button[value=deny]")

    with pytest.raises(SignInError) as caught:
        public_login.client.sign_in_with_browser(public_login.store, scope="openid", open_browser=browse)

    assert caught.value.error == "access_denied"
    chromium.wait_for_text("body", "The server answered: access_denied.")


def test_browser_that_does_not_come_back_is_told(public_login, site):
    seen = []
    with pytest.raises(SignInError) as caught:
        public_login.client.sign_in_with_browser(
            public_login.store, scope="openid", open_browser=seen.append, patience_seconds=0.01
        )

    assert caught.value.cause == "sign_in_timeout"
    assert seen[0].startswith(f"{site.issuer}/oauth2/authorize?client_id=")
    assert public_login.store.load() is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "callback"}, "must be a plain one"),
        ({"path": "/a?b"}, "must be a plain one"),
        ({"path": "/a b"}, "must be a plain one"),
        ({"patience_seconds": 0}, "makes no sense"),
        ({"patience_seconds": float("nan")}, "makes no sense"),
        ({"patience_seconds": 1e9}, "makes no sense"),
    ],
)
def test_sign_in_that_makes_no_sense_is_refused(options, says, public_login):
    with pytest.raises(ConfigurationError, match=says):
        public_login.client.sign_in_with_browser(
            public_login.store, scope="openid", open_browser=lambda url: None, **options
        )


# --- renewal ----------------------------------------------------------------------------------------------------
def test_two_threads_refresh_once(public_login, clock, site):
    public_login.sign_in(redirect_uri="http://127.0.0.1/callback")
    clock.move(600)
    seen = count_token_requests(site)
    # Each request of a web application has loaded a session of its own.
    stores = [MappingTokenStore(dict(public_login.store._mapping)) for _ in range(4)]
    tokens = []

    def call(store):
        tokens.append(public_login.client.auth(store, resource=site.api).token().access_token)

    threads = [threading.Thread(target=call, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(tokens)) == 1
    assert len(tokens) == 4
    assert seen() == 1
    assert len({store.load().refresh_token for store in stores}) == 1


def count_token_requests(site):
    """Counts the token requests that are granted from now on."""
    from flask_private_key_jwt.signals import token_issued

    seen = []

    def note(sender, **_):
        seen.append(sender)

    token_issued.connect(note, sender=site.app)
    note_ = note  # kept alive: the signal holds it weakly

    return lambda: len(seen) if note_ else 0


def test_two_programs_that_share_a_file_refresh_once(public_login, keys, clock, site, tmp_path):
    path, client = tmp_path / "tokens.json", public_login.client
    public_login.store = FileTokenStore(path)
    public_login.sign_in(redirect_uri="http://127.0.0.1/callback")
    clock.move(600)
    seen = count_token_requests(site)
    programs = [
        AuthorizationCodeClient(site.issuer, client.client_id, dpop_key=keys("ES256", "native proof")) for _ in range(3)
    ]
    tokens = []

    def call(program):
        tokens.append(program.auth(FileTokenStore(path), resource=site.api).token().access_token)

    threads = [threading.Thread(target=call, args=[program]) for program in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(tokens), len(set(tokens)), seen()) == (3, 1, 1)


def test_request_with_an_old_session_does_not_spend_the_refresh_token_again(public_login, clock, site):
    public_login.sign_in(redirect_uri="http://127.0.0.1/callback")
    old = MappingTokenStore(dict(public_login.store._mapping))
    clock.move(600)
    new = public_login.client.auth(public_login.store, resource=site.api).token()
    site.refusals.clear()

    assert public_login.client.auth(old, resource=site.api).token() == new
    assert site.refusals == []


def test_new_tokens_are_kept_before_they_are_used(public_login, clock, site):
    class FullStore(MappingTokenStore):
        full = False

        def save(self, tokens):
            if self.full:
                raise ConfigurationError("full")
            super().save(tokens)

    public_login.store = store = FullStore({})
    public_login.sign_in(redirect_uri="http://127.0.0.1/callback")
    clock.move(600)
    store.full = True
    auth = public_login.client.auth(store, resource=site.api)
    with pytest.raises(ConfigurationError, match="full"):
        auth.token()

    store.full = False  # the answer is not lost: it is kept now
    auth.token()
    clock.move(600)
    assert auth.token()


def test_token_that_an_api_refuses_is_renewed_once(login, site):
    first = login.sign_in()
    auth = login.client.auth(login.store, resource=site.api)
    auth._access._tokens.forget(first.token.access_token)

    assert auth.token().access_token != first.token.access_token


def test_refresh_that_the_server_refuses_needs_the_person_again(login, clock, site):
    login.sign_in()
    login.client.sign_out(MappingTokenStore(dict(login.store._mapping)))  # from another place
    clock.move(600)
    auth = login.client.auth(login.store, resource=site.api)

    with pytest.raises(SignInRequired, match="sign in once more") as caught:
        auth.token()
    assert caught.value.error == "invalid_grant"
    assert login.store.load() is None
    with pytest.raises(SignInRequired, match="Nobody is signed in"):
        auth.token()


def test_server_that_does_not_answer_costs_no_tokens(login, clock, site, monkeypatch):
    login.sign_in()
    clock.move(600)
    auth = login.client.auth(login.store, resource=site.api)
    monkeypatch.setattr(login.client._client, "timeout", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr("flask_private_key_jwt.fetching.exchange._send", lambda *_: (_ for _ in ()).throw(OSError("cut")))
        with pytest.raises(TokenRequestError):
            auth.token()

    monkeypatch.setattr(login.client._client, "timeout", 5)
    assert auth.token()


def test_tokens_of_another_key_are_renewed_for_this_one(login, make_login, keys, site):
    login.sign_in()
    other = make_login(dpop_key=keys("ES256", "new proof")).client

    answer = requests.get(site.bound_values, auth=other.auth(login.store, resource=site.api), timeout=5)

    assert answer.json()["cnf"] == {"jkt": keys("ES256", "new proof").public.thumbprint}


def test_tokens_of_another_client_are_not_used(login, public_login, site):
    login.sign_in()

    with pytest.raises(ConfigurationError, match="belong to the client"):
        public_login.client.auth(login.store, resource=site.api).token()


def test_token_is_not_sent_to_an_api_that_it_is_not_for(login, site):
    login.sign_in()
    other = login.client.auth(login.store, resource="https://other.example")

    with pytest.raises(ConfigurationError, match=r"and not for https://other\.example: they are not sent"):
        requests.get("https://other.example/", auth=other, timeout=5)
    assert login.client.auth(login.store, resource=site.api).token()


def test_api_that_wants_nonces_is_asked_twice_only_once(login, site):
    login.sign_in()
    for _ in range(2):  # an auth object for each request, as in a web application
        auth = login.client.auth(login.store, resource=site.api)
        answer = requests.get(site.bound_values, auth=auth, timeout=5)

    assert (answer.status_code, answer.history) == (200, [])


# --- the end ----------------------------------------------------------------------------------------------------
def test_sign_out_revokes_and_forgets(login, site):
    login.sign_in()
    copy = MappingTokenStore(dict(login.store._mapping))

    login.client.sign_out(login.store)

    assert login.store.load() is None
    with pytest.raises(requests.RequestException):
        login.client.userinfo(copy)
    login.client.sign_out(login.store)  # nothing to do


def test_person_signs_out_at_the_server_too(site, keys):
    key, bye = keys("ES256", "leaver"), "https://app.example/bye"
    site.oauth.sign_out(lambda: flask.session.clear())
    client_id = register(site, key, post_logout_redirect_uris=[bye])
    login = Login(site, AuthorizationCodeClient(site.issuer, client_id, key=key))
    login.sign_in()
    url = login.client.build_sign_out_url(login.store, post_logout_redirect_uri=bye, state="s")
    login.client.sign_out(login.store)

    assert requests.get(url, allow_redirects=False, timeout=5).headers["Location"] == f"{bye}?state=s"


def test_public_client_signs_out_too(public_login, site):
    public_login.sign_in(redirect_uri="http://127.0.0.1/callback")
    site.refusals.clear()
    public_login.client.sign_out(public_login.store)

    assert public_login.store.load() is None
    assert [refusal.cause for refusal in site.refusals if not refusal.cause.startswith("proof_nonce")] == []


def test_sign_out_forgets_also_where_the_server_is_away(login, monkeypatch):
    login.sign_in()
    monkeypatch.setattr("flask_private_key_jwt.fetching.exchange._send", lambda *_: (_ for _ in ()).throw(OSError("x")))

    with pytest.raises(requests.RequestException):
        login.client.sign_out(login.store)
    assert login.store.load() is None


def test_nothing_secret_is_shown(login, caplog):
    caplog.set_level("DEBUG")
    request = login.start()
    back = login.answer(request)
    tokens = login.client.finish(back, request.pending)
    login.store.save(tokens)
    pending = request.pending
    secrets = [pending.state, pending.code_verifier, pending.nonce, parse_qs(urlsplit(back).query)["code"][0]]
    secrets += [tokens.token.access_token, tokens.refresh_token, tokens.id_token]
    shown = f"{request!r} {login.client!r} {tokens!r} {login.client.auth(login.store, origin='https://x.example')!r}"

    ours = "".join(record.getMessage() for record in caplog.records if record.name == "flask_private_key_jwt")
    assert not [secret for secret in secrets if secret in shown or secret in ours]


def test_issuer_that_is_not_there_is_told(client_id, keys):
    client = AuthorizationCodeClient("http://127.0.0.1:9", client_id, key=keys("ES256", "web client"))

    with pytest.raises(DiscoveryError, match="cannot be reached"):
        client.start(REDIRECT_URI)
