"""``online=True``: the issuer is asked whether a token is active; without its answer, the request is refused."""

import functools
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import flask
import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from tests.conftest import API
from tests.refusals import causes
from tests.resource_server.api_answers import INSUFFICIENT_SCOPE, INVALID_PROOF, INVALID_TOKEN, UNAVAILABLE, challenges
from tests.resource_server.introspection_server import IntrospectionServer, refuse, say, serving

EVERY_FRAMEWORK = True

CACHE, REVOKED, PAUSE = 10, 60, 2
UNKNOWN = "the issuer does not say whether the token still counts: "
TOO_SOON = "the issuer was not asked again so soon: "
REFUSED = f"{UNKNOWN}The introspection endpoint"
INACTIVE = (
    "the issuer says that the token is not active: it counts no longer, or the issuer does not let 'the-api' "
    f"introspect tokens for {API!r}"
)


@pytest.fixture
def site():
    with serving(IntrospectionServer()) as site:
        yield site
        site.gate.set()


@pytest.fixture
def build_token(build_token, site):
    return functools.partial(build_token, iss=site.url)


@pytest.fixture
def client_settings(site, client_key, tmp_path):
    """What makes the API a client of its issuer."""
    (tmp_path / "api.pem").write_bytes(client_key.as_pem())
    return {
        "OAUTH2_ISSUER": site.url,
        "OAUTH2_CLIENT_ID": "the-api",
        "OAUTH2_CLIENT_KEY": str(tmp_path / "api.pem"),
    }


@pytest.fixture
def app(make_caller, client_settings, settings):
    return make_caller(**client_settings, **settings).app


@pytest.fixture
def ask(call):
    """Call the view that asks, with a Bearer token; valid unless given."""
    return functools.partial(call.bearer, path="/online")


def check_unavailable(answer):
    assert answer.status_code == 503
    assert answer.json == UNAVAILABLE
    assert answer.headers["Retry-After"] == "5"
    assert challenges(answer) == []


# --- what is asked ----------------------------------------------------------------------------------------
def test_a_token_that_counts_opens_the_view(ask, site):
    assert ask().json == {"client": "console"}
    assert len(site.questions) == 1


def test_the_api_asks_as_the_client_it_is(ask, site, build_token, client_key):
    token = build_token()
    ask(token)

    [form] = site.questions
    assertion = jose.parse(form.pop("client_assertion"), max_bytes=8192)
    assert jose.verify(assertion, client_key.public)
    assert (assertion.claims["iss"], assertion.claims["aud"]) == ("the-api", site.url)
    assert form == {
        "token": token,
        "token_type_hint": "access_token",
        "client_id": "the-api",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


def test_a_view_that_does_not_ask_for_it_asks_nobody(call, site):
    assert call.bearer(path="/read").status_code == 200
    assert site.questions == []


def test_an_anonymous_caller_of_an_optional_view_is_no_reason_to_ask(call, site):
    assert call.send("/optional-online").json == {"client": None}
    assert site.questions == []


def test_a_revoked_token_does_not_pass_for_an_anonymous_caller(call, site, build_token):
    token = build_token()
    site.revoked.add(token)

    assert call.bearer(token, path="/optional-online").json == INVALID_TOKEN


# --- a token that does not count --------------------------------------------------------------------------
def test_a_revoked_token_is_refused(ask, site, build_token, refusals):
    token = build_token()
    site.revoked.add(token)

    answer = ask(token)

    assert (answer.status_code, answer.json) == (401, INVALID_TOKEN)
    assert challenges(answer) == [
        'Bearer error="invalid_token", error_description="The access token is invalid.", '
        f'scope="read", resource_metadata="{API}/.well-known/oauth-protected-resource"'
    ]
    assert refusals == [INACTIVE]
    assert causes(refusals) == ["token_inactive"]


def test_a_revoked_bound_token_is_refused_with_a_challenge_of_its_scheme(call, site, build_token, proof_key):
    token = build_token(bound_to=proof_key)
    site.revoked.add(token)

    [challenge] = challenges(call.dpop(token, path="/online"))

    assert challenge.startswith('DPoP error="invalid_token"')


@pytest.mark.parametrize("said", [{"active": False, "sub": "console"}, {"active": False, "active ": True}])
def test_what_else_is_said_of_an_inactive_token_makes_no_difference(ask, site, said, refusals):
    site.answers = [say(said)]

    assert ask().json == INVALID_TOKEN
    assert refusals == [INACTIVE]
    assert causes(refusals) == ["token_inactive"]


# --- an issuer that does not say --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(status=500), "answered with status 500 and no OAuth error. Is the issuer right?"),
        (refuse("temporarily_unavailable", 503), "refused with 503 temporarily_unavailable. The server is not "),
        (refuse("invalid_client", 401), "refused with 401 invalid_client. The server does not accept this client's "),
        (refuse("invalid_client", 400), "refused with 400 invalid_client. The server does not accept this client's "),
        (refuse("unauthorized_client", 403), "refused with 403 unauthorized_client. The server does not let this "),
        (refuse("slow_down", 429), "refused with 429 slow_down. See the server's documentation for this error."),
        (Response(status=404), "answered with status 404 and no OAuth error. Is the issuer right?"),
        (Response(status=302, headers={"Location": "/login"}), "answered with status 302 and no OAuth error."),
        (Response(b'{"active": true}', status=201), "answered with status 201 and no OAuth error."),
        (Response("<html>Sign in</html>"), "endpoint's answer is not usable"),
        (Response(b""), "endpoint's answer is not usable"),
        (Response(b'{"active":false,"active":true}'), "endpoint's answer is not usable"),
        (say([True]), "endpoint's answer is not usable"),
        (say({}), "endpoint's answer does not say whether the token is active."),
        (say({"active": "true"}), "endpoint's answer does not say whether the token is active."),
        (say({"active": 1}), "endpoint's answer does not say whether the token is active."),
        (say({"active": None}), "endpoint's answer does not say whether the token is active."),
        (refuse("invalid_request", 400), "refused with 400 invalid_request. The server finds the request malformed."),
    ],
)
def test_without_the_issuer_s_word_nobody_enters(ask, site, answer, reason, refusals):
    site.answers = [answer]

    check_unavailable(ask())
    [said] = refusals
    assert said.startswith(REFUSED)
    assert reason in said


def test_an_issuer_that_is_away_opens_nothing(ask, site, refusals):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"http://127.0.0.1:{listener.getsockname()[1]}/introspect"
    site.metadata = {"introspection_endpoint": gone}

    check_unavailable(ask())
    [said] = refusals
    assert said.startswith(f"{UNKNOWN}Nothing is known of the token: {gone} cannot be reached")


@pytest.mark.parametrize("settings", [{"OAUTH2_HTTP_TIMEOUT_SECONDS": 1}])
def test_an_issuer_that_is_too_slow_opens_nothing(ask, site, refusals):
    site.gate.clear()

    check_unavailable(ask())
    [said] = refusals
    # Discovery has used some of the second, more of it on a busy machine.
    assert re.search(r"/introspect did not answer within (1|0\.\d) seconds\.$", said)


@pytest.mark.parametrize("endpoint", [None, "http://evil.example/introspect"])
def test_an_issuer_without_a_safe_endpoint_opens_nothing(ask, site, endpoint, refusals):
    site.metadata = {"introspection_endpoint": endpoint}

    check_unavailable(ask())
    assert "introspection_endpoint" in refusals[0]
    assert refusals[0].cause == "issuer_unavailable"
    assert site.questions == []


def test_metadata_of_another_issuer_opens_nothing(ask, site, refusals):
    site.metadata = {"issuer": "https://evil.example"}

    check_unavailable(ask())
    assert "speaks for issuer 'https://evil.example'" in refusals[0]
    assert refusals[0].cause == "issuer_unavailable"
    assert site.questions == []


# --- an answer about another token ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "https://evil.example"),
        ("sub", "mallory"),
        ("sub", None),
        ("client_id", "other"),
        ("client_id", ["console"]),
        ("jti", "another"),
        ("aud", "https://other.example"),
        ("aud", [API, "https://other.example"]),
        ("aud", []),
        ("aud", None),
        ("aud", [[API]]),
        ("cnf", {"jkt": "another"}),
    ],
)
def test_an_answer_about_another_token_opens_nothing(ask, site, name, value, refusals):
    site.members = {name: value}

    check_unavailable(ask())
    assert refusals == [f"the issuer's answer is about another token: its {name} differs"]
    assert causes(refusals) == ["issuer_answer_mismatch"]


@pytest.mark.parametrize("cnf", [None, {}, {"jkt": "another"}])
def test_a_bound_token_is_not_told_by_another_key(call, site, cnf, refusals):
    site.members = {"cnf": cnf}

    check_unavailable(call.dpop(path="/online"))
    assert refusals == ["the issuer's answer is about another token: its cnf differs"]
    assert causes(refusals) == ["issuer_answer_mismatch"]


def test_an_answer_that_says_what_the_token_says_is_believed(ask, site, build_token):
    token = build_token(jti="this", aud=[API, "https://b.example"])
    site.members = {
        "iss": site.url,
        "sub": "console",
        "client_id": "console",
        "jti": "this",
        "aud": ["https://b.example", API],
        "cnf": None,
        "scope": "read",
        "token_type": "Bearer",
    }

    assert ask(token).status_code == 200


@pytest.mark.parametrize("aud", [API, [API]])
def test_one_audience_may_be_a_text_or_a_list(ask, site, aud):
    site.members = {"aud": aud}

    assert ask().status_code == 200


def test_a_bound_token_is_told_by_its_key(call, site, proof_key):
    site.members = {"cnf": {"jkt": proof_key.public.thumbprint}, "token_type": "DPoP"}

    assert call.dpop(path="/online").status_code == 200


def test_an_answer_about_another_token_stays_for_the_pause_and_bothers_no_other_token(ask, site, build_token, clock):
    token = build_token()
    site.answers = [say({"active": True, "sub": "mallory"})]
    check_unavailable(ask(token))
    check_unavailable(ask(token))
    assert len(site.questions) == 1

    assert ask().status_code == 200
    clock.move(PAUSE)
    assert ask(token).status_code == 200


# --- how long a word is good ------------------------------------------------------------------------------
def test_one_question_serves_for_the_cache_seconds(ask, site, build_token, clock):
    token = build_token()
    ask(token)
    clock.move(CACHE - 1)
    assert ask(token).status_code == 200
    assert len(site.questions) == 1

    clock.move(1)
    site.revoked.add(token)
    assert ask(token).json == INVALID_TOKEN
    assert len(site.questions) == 2


@pytest.mark.parametrize("settings", [{"OAUTH2_INTROSPECTION_CACHE_SECONDS": 0}])
def test_without_a_cache_a_revocation_counts_at_once(ask, site, build_token):
    token = build_token()
    assert ask(token).status_code == 200
    site.revoked.add(token)

    assert ask(token).json == INVALID_TOKEN


@pytest.mark.parametrize("settings", [{"OAUTH2_INTROSPECTION_CACHE_SECONDS": 60, "OAUTH2_CLOCK_SKEW_SECONDS": 30}])
def test_a_word_is_never_good_beyond_the_token_s_end(ask, site, build_token, clock):
    token = build_token(exp=clock.now + 5)
    ask(token)
    clock.move(4)
    assert ask(token).status_code == 200
    assert len(site.questions) == 1

    clock.move(1)  # over, but for the difference between two clocks
    site.revoked.add(token)
    assert ask(token).json == INVALID_TOKEN


def test_a_word_of_the_future_is_not_taken(ask, site, build_token, clock):
    token = build_token(iat=clock.now - 600)
    ask(token)
    clock.move(-300)  # the clock was wrong, and was set
    site.revoked.add(token)

    assert ask(token).json == INVALID_TOKEN


def test_a_word_counts_from_before_the_question(ask, site, build_token, clock):
    token = build_token()
    site.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, token)
        assert site.asked.wait(60)
        clock.move(CACHE - 1)
        site.gate.set()
        assert slow.result(5).status_code == 200
    clock.move(1)
    site.revoked.add(token)

    assert ask(token).json == INVALID_TOKEN


def test_a_revoked_token_is_refused_for_longer_without_asking(ask, site, build_token, clock):
    token = build_token()
    site.revoked.add(token)
    for _ in range(REVOKED // 10):
        assert ask(token).json == INVALID_TOKEN
        clock.move(10)
    assert len(site.questions) == 1

    site.revoked.clear()  # the issuer's operator lets this API ask now
    assert ask(token).status_code == 200


def test_the_word_is_for_one_token_only(ask, site, build_token):
    token = build_token()
    site.revoked.add(token)

    assert ask(token).status_code == 401
    assert ask().status_code == 200
    assert len(site.questions) == 2


# --- a token that fails here is nobody's business there ---------------------------------------------------
BAD_TOKENS = {
    "expired": {"exp": 1},
    "for another API": {"aud": "https://other.example"},
    "of another issuer": {"iss": "https://evil.example"},
    "without a jti": {"jti": None},
    "without the scope": {"scope": "write"},
    "an ID token": {"header": {"typ": "JWT"}},
}


@pytest.mark.parametrize("changes", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_token_that_fails_here_is_not_sent(ask, site, build_token, changes):
    assert ask(build_token(**changes)).status_code in (401, 403)
    assert site.questions == []


def test_a_token_without_the_scope_is_insufficient_rather_than_unknown(ask, site, build_token):
    site.always = Response(status=500)

    assert ask(build_token(scope="write")).json == INSUFFICIENT_SCOPE


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_not_sent(ask, site, token):
    assert ask(token).status_code in (400, 401)
    assert site.questions == []


def test_a_forged_token_is_not_sent(ask, site, build_token, keys):
    assert ask(build_token(key=keys("ES256", "thief"))).json == INVALID_TOKEN
    assert site.questions == []


def test_a_bound_token_without_its_proof_is_not_sent(call, ask, site, build_token, build_proof, proof_key, keys):
    token = build_token(bound_to=proof_key)
    thief = build_proof(token, htu=f"{API}/online", key=keys("ES256", "thief"))

    assert ask(token).status_code == 401
    assert call.send("/online", Authorization=f"DPoP {token}").status_code == 401
    assert call.dpop(token, proof=thief, path="/online").status_code == 401
    assert call.dpop(token, proof=build_proof(token), path="/online").json == INVALID_PROOF
    assert site.questions == []


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required", "OAUTH2_SECRETS": ["s" * 32]}])
def test_a_proof_without_its_nonce_is_no_reason_to_ask(call, site):
    assert call.dpop(path="/online").json["error"] == "use_dpop_nonce"
    assert site.questions == []


# --- proofs -----------------------------------------------------------------------------------------------
def test_a_proof_is_not_spent_while_the_issuer_is_away(call, site, build_token, build_proof, proof_key, clock):
    token = build_token(bound_to=proof_key)
    proof = build_proof(token, htu=f"{API}/online")
    site.answers = [Response(status=500)]
    check_unavailable(call.dpop(token, proof=proof, path="/online"))
    clock.move(PAUSE)

    assert call.dpop(token, proof=proof, path="/online").status_code == 200
    assert call.dpop(token, proof=proof, path="/online").json == INVALID_PROOF


# --- many at once -----------------------------------------------------------------------------------------
def test_of_many_requests_with_one_token_one_asks(ask, site, build_token):
    token = build_token()
    site.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, token) for _ in range(8)]
        assert site.asked.wait(60)
        site.gate.set()
        assert [answer.result(10).status_code for answer in answers] == [200] * 8

    assert len(site.questions) == 1


def test_requests_that_wait_for_one_answer_are_refused_by_it_too(ask, site, build_token):
    token = build_token()
    site.revoked.add(token)
    site.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, token) for _ in range(8)]
        assert site.asked.wait(60)
        site.gate.set()
        assert [answer.result(10).status_code for answer in answers] == [401] * 8

    assert len(site.questions) == 1


def test_a_slow_answer_about_one_token_does_not_hold_up_another(ask, site, build_token):
    known, token = build_token(), build_token()
    ask(known)
    site.asked.clear()
    site.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, token)
        assert site.asked.wait(60)
        assert ask(known).status_code == 200
        site.gate.set()
        assert slow.result(5).status_code == 200


# --- an issuer that is away is left alone for a moment ----------------------------------------------------
def test_an_issuer_that_is_away_is_asked_every_two_seconds(ask, site, clock, refusals):
    site.always = Response(status=500)
    for _ in range(5):
        check_unavailable(ask())
    assert len(site.questions) == 1
    assert refusals[1] == TOO_SOON + refusals[0].removeprefix(UNKNOWN)

    clock.move(PAUSE)
    for _ in range(5):
        check_unavailable(ask())
    assert len(site.questions) == 2


def test_while_one_request_tries_the_others_do_not_wait(ask, site, clock):
    site.always = Response(status=500)
    ask()
    clock.move(PAUSE)
    site.asked.clear()
    site.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(ask)
        assert site.asked.wait(60)
        check_unavailable(ask())
        site.gate.set()
        check_unavailable(trying.result(5))
    assert len(site.questions) == 2


def test_the_api_comes_back_by_itself(ask, site, clock):
    site.answers = [Response(status=500)]
    check_unavailable(ask())
    clock.move(PAUSE)

    assert [ask().status_code for _ in range(3)] == [200] * 3


def test_what_the_issuer_said_before_it_went_away_is_good_for_its_time(ask, site, build_token, clock):
    known, revoked = build_token(), build_token()
    site.revoked.add(revoked)
    ask(known)
    ask(revoked)
    site.always = Response(status=500)
    check_unavailable(ask())

    assert ask(known).status_code == 200
    assert ask(revoked).status_code == 401
    clock.move(CACHE)
    check_unavailable(ask(known))


def test_a_clock_that_was_set_back_does_not_prolong_the_pause(ask, site, build_token, clock):
    site.answers = [Response(status=500)]
    token = build_token(iat=clock.now - 7200)
    check_unavailable(ask(token))
    clock.move(-3600)

    assert ask(token).status_code == 200


@pytest.mark.parametrize("status", [400, 413])
def test_trouble_with_one_token_does_not_stop_the_others(ask, site, build_token, status, clock):
    token = build_token()
    site.answers = [Response(status=status)]
    check_unavailable(ask(token))
    check_unavailable(ask(token))
    assert len(site.questions) == 1

    assert ask().status_code == 200


def test_a_question_that_was_lost_while_others_were_answered_does_not_stop_the_others(ask, site):
    site.gate = closed = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(ask)
        assert site.asked.wait(60)
        site.gate = threading.Event()
        site.gate.set()
        assert ask().status_code == 200
        site.answers = [Response(status=500)]
        closed.set()
        check_unavailable(lost.result(5))

    assert ask().status_code == 200


# --- views inside of blueprints ---------------------------------------------------------------------------
@pytest.fixture
def add_blueprint(in_flask, app):
    def add(*, outer, inner):
        require_oauth = ResourceProtector()
        blueprint = flask.Blueprint("inside", __name__, url_prefix="/inside")
        require_oauth.protect(blueprint, "read", online=outer)
        blueprint.get("/")(require_oauth("read", online=inner)(lambda: "in"))
        app.register_blueprint(blueprint)

    return add


@pytest.mark.parametrize(("outer", "inner"), [(False, True), (True, False), (True, True)])
@pytest.mark.parametrize("settings", [{"OAUTH2_INTROSPECTION_CACHE_SECONDS": 0}])
def test_the_issuer_is_asked_once_whoever_asks_for_it(call, site, add_blueprint, build_token, outer, inner):
    add_blueprint(outer=outer, inner=inner)
    token = build_token()

    assert call.bearer(token, path="/inside/").status_code == 200
    assert len(site.questions) == 1
    site.revoked.add(token)
    assert call.bearer(token, path="/inside/").json == INVALID_TOKEN


def test_a_blueprint_where_nobody_asks_for_it_asks_nobody(call, site, add_blueprint):
    add_blueprint(outer=False, inner=False)

    assert call.bearer(path="/inside/").status_code == 200
    assert site.questions == []


def test_a_refusal_inside_of_a_blueprint_names_the_client(call, site, add_blueprint, caplog):
    add_blueprint(outer=False, inner=True)
    site.always = Response(status=500)

    check_unavailable(call.bearer(path="/inside/"))
    assert "client console, " in caplog.text


# --- setting it up ----------------------------------------------------------------------------------------
def make_online_app(config):
    app = flask.Flask("guest")
    app.config.from_mapping(config, OAUTH2_RESOURCE=API)
    require_oauth = ResourceProtector()
    app.get("/")(require_oauth(online=True)(lambda: "in"))
    return app, require_oauth


def test_a_view_that_is_there_at_the_start_is_set_up_then(client_settings):
    app, require_oauth = make_online_app(client_settings)

    require_oauth.init_app(app)


@pytest.mark.parametrize(
    "form",
    [
        lambda key, tmp_path: tmp_path / "api.pem",
        lambda key, tmp_path: key.as_pem(),
        lambda key, tmp_path: key.as_pem().decode().replace("\n", "\\n"),
        lambda key, tmp_path: "".join(key.as_pem().decode().splitlines()[1:-1]),
        lambda key, tmp_path: key.as_jwk(),  # what from_prefixed_env makes of a JWK in the environment
        lambda key, tmp_path: {"keys": [key.as_jwk()]},
    ],
    ids=["path", "bytes", "written out", "bare base64", "JWK", "JWK Set"],
)
def test_an_api_takes_its_key_in_every_form(form, client_settings, client_key, tmp_path):
    key = form(client_key, tmp_path)
    app, require_oauth = make_online_app({**client_settings, "OAUTH2_CLIENT_KEY": key})

    require_oauth.init_app(app)


@pytest.mark.parametrize("key", ["", {}, 5, b"", ["x"]])
def test_an_api_whose_key_is_none_at_all_says_so_at_the_start(client_settings, key):
    app, require_oauth = make_online_app({**client_settings, "OAUTH2_CLIENT_KEY": key})

    sentence = "OAUTH2_CLIENT_KEY is not accepted: it must be a path or a private key, and not empty."
    with pytest.raises(ConfigurationError, match=sentence):
        require_oauth.init_app(app)


def test_the_key_of_an_api_is_in_no_message(client_settings, client_key, caplog):
    secret = "".join(client_key.as_pem().decode().splitlines()[1:-1])
    for key in (secret[:-1], secret[8:], client_key.as_jwk()["d"], {**client_key.as_jwk(), "kty": secret}):
        app, require_oauth = make_online_app({**client_settings, "OAUTH2_CLIENT_KEY": key})

        with pytest.raises(ConfigurationError, match="OAUTH2_CLIENT_KEY is not accepted") as caught:
            require_oauth.init_app(app)
        shown = str(caught.value) + caplog.text
        assert secret[40:60] not in shown
        assert client_key.as_jwk()["d"][:12] not in shown


@pytest.mark.parametrize("name", ["OAUTH2_CLIENT_ID", "OAUTH2_CLIENT_KEY"])
def test_an_api_that_is_no_client_says_what_to_set_at_the_start(client_settings, name):
    del client_settings[name]
    app, require_oauth = make_online_app(client_settings)

    with pytest.raises(ConfigurationError, match="set OAUTH2_CLIENT_ID and OAUTH2_CLIENT_KEY"):
        require_oauth.init_app(app)


def test_a_protected_blueprint_is_set_up_at_the_start_too(client_settings):
    del client_settings["OAUTH2_CLIENT_KEY"]
    app = flask.Flask("guest")
    app.config.from_mapping(client_settings, OAUTH2_RESOURCE=API)
    require_oauth, blueprint = ResourceProtector(), flask.Blueprint("inside", __name__)
    require_oauth.protect(blueprint, online=True)
    app.register_blueprint(blueprint)

    with pytest.raises(ConfigurationError, match="set OAUTH2_CLIENT_ID and OAUTH2_CLIENT_KEY"):
        require_oauth.init_app(app)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"OAUTH2_CLIENT_KEY": "missing.pem"}, r"OAUTH2_CLIENT_KEY is not accepted: The key file 'missing\.pem'"),
        ({"OAUTH2_CLIENT_KEY_PASSWORD": "wrong"}, "OAUTH2_CLIENT_KEY is not accepted: The private key is not usable"),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_at_the_start(client_settings, change, sentence):
    app, require_oauth = make_online_app({**client_settings, **change})

    with pytest.raises(ConfigurationError, match=sentence):
        require_oauth.init_app(app)


def test_a_key_that_cannot_be_used_is_an_error_before_there_is_a_view(client_settings):
    app = flask.Flask("guest")
    app.config.from_mapping({**client_settings, "OAUTH2_CLIENT_KEY": "missing.pem"}, OAUTH2_RESOURCE=API)

    with pytest.raises(ConfigurationError, match=r"OAUTH2_CLIENT_KEY is not accepted: The key file 'missing\.pem'"):
        ResourceProtector().init_app(app)


def test_an_encrypted_key_opens_with_its_password(client_settings, client_key, tmp_path):
    (tmp_path / "api.pem").write_bytes(client_key.as_pem(password="open sesame"))
    app, require_oauth = make_online_app({**client_settings, "OAUTH2_CLIENT_KEY_PASSWORD": "open sesame"})

    require_oauth.init_app(app)


def test_a_view_that_comes_later_is_an_error_where_it_is_registered(in_flask, make_caller, site):
    caller = make_caller(OAUTH2_ISSUER=site.url)

    with pytest.raises(ConfigurationError, match=r"A view asks the issuer about tokens \(online=True\)"):
        caller.app.get("/later")(ResourceProtector()(online=True)(lambda: "in"))
    assert caller.send("/later").status_code == 404


def test_a_view_that_flask_was_not_told_of_is_unavailable_and_the_log_says_what_to_set(
    in_flask, make_caller, site, refusals
):
    caller = make_caller(OAUTH2_ISSUER=site.url)
    caller.app.get("/later", endpoint="later")(lambda: "in")
    caller.app.view_functions["later"] = ResourceProtector()(online=True)(lambda: "in")

    check_unavailable(caller.bearer(path="/later"))
    [reason] = caller.refusals
    assert reason.startswith("set up wrongly: A view asks the issuer about tokens (online=True)")


def test_an_api_that_asks_nobody_needs_no_key(make_caller, site):
    caller = make_caller(OAUTH2_ISSUER=site.url, OAUTH2_CLIENT_ID="of something else")

    assert caller.bearer().status_code == 200


# --- nothing secret in sight ------------------------------------------------------------------------------
def test_no_token_and_no_assertion_is_logged(ask, site, build_token, caplog):
    caplog.set_level("DEBUG")
    token = build_token()
    site.answers = [refuse("invalid_request", 400, error_description=f"what is {token}?"), None]

    ask(token)
    ask()

    assert "eyJ" not in caplog.text
    assert "[token]" in caplog.text
