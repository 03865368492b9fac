"""Where the issuer's keys come from, how long they are used, and what happens when the issuer does not answer."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import flask
import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.fetching.discovery import DiscoveryError
from flask_private_key_jwt.resource_server.issuer_keys import FetchedKeys, fetch_keys
from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_TOKEN, UNAVAILABLE, challenges

EVERY_FRAMEWORK = True

CACHE, STALE = 300, 3600


def check_unavailable(answer, refusals):
    assert answer.status_code == 503
    assert answer.json == UNAVAILABLE
    assert answer.headers["Retry-After"] == "5"
    assert challenges(answer) == []
    assert causes(refusals) == ["issuer_keys_unavailable"]
    assert causes(refusals) == ["issuer_keys_unavailable"]


# --- fetched and cached -----------------------------------------------------------------------------------
def test_nothing_is_fetched_before_the_first_token(call, issuer):
    call.send("/any")

    assert issuer.fetches == 0


def test_keys_are_fetched_once_while_the_cache_lives(call, issuer, clock):
    call.bearer()
    clock.move(CACHE - 1)
    call.bearer()

    assert issuer.fetches == 1


def test_keys_are_fetched_again_when_the_cache_is_over(call, issuer, clock):
    call.bearer()
    clock.move(CACHE)
    call.bearer()

    assert issuer.fetches == 2


def test_a_withdrawn_key_stops_working_when_the_cache_is_over(call, issuer, build_token, keys, clock, refusals):
    token = build_token(exp=clock.now + 5000)
    assert call.bearer(token).status_code == 200
    issuer.publish(keys("ES256", "new"))
    assert call.bearer(token).status_code == 200
    clock.move(CACHE)

    assert call.bearer(token).status_code == 401
    assert refusals[0].cause == "token_no_key"


NO_TOKENS = {
    "no JWT": lambda _: "garbage",
    "three parts": lambda _: "a.b.c",
    "too long": lambda build: build(extra="x" * 9000),
    "another issuer's": lambda build: build(iss="https://evil.example"),
    "an ID token": lambda build: build(header={"typ": "JWT"}),
    "no signature": lambda build: build().rpartition(".")[0] + ".",
}


@pytest.mark.parametrize("kind", NO_TOKENS)
@pytest.mark.parametrize("scheme", ["bearer", "dpop"])
def test_what_is_no_token_of_the_issuers_is_refused_while_that_was_never_reached(
    scheme, kind, call, issuer, build_token, refusals
):
    issuer.away = True
    token = NO_TOKENS[kind](build_token)

    assert (call.bearer(token) if scheme == "bearer" else call.dpop(token)).status_code == 401
    assert issuer.fetches == 0
    assert refusals[0].cause.startswith("token_")


@pytest.mark.parametrize("change", [{}, {"header": {"kid": "new"}}, {"exp": 1}, {"aud": "https://other.example"}])
def test_what_may_be_a_token_waits_for_the_issuer(change, call, issuer, build_token):
    issuer.away = True
    answer = call.bearer(build_token(**change))

    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (503, UNAVAILABLE, "5")
    assert issuer.fetches == 1


# --- an unknown kid ---------------------------------------------------------------------------------------
@pytest.fixture
def new_key(keys):
    return keys("ES256", "new")


def test_a_new_key_is_found_by_one_fetch(call, issuer, build_token, issuer_key, new_key):
    call.bearer()
    issuer.publish(issuer_key, new_key)

    assert call.bearer(build_token(key=new_key)).status_code == 200
    assert issuer.fetches == 2


def test_unknown_kids_cause_one_fetch_in_thirty_seconds(call, issuer, build_token, new_key, clock, refusals):
    call.bearer()
    for number in range(5):
        answer = call.bearer(build_token(key=new_key, header={"kid": f"invented-{number}"}))
        assert answer.status_code == 401
        assert answer.json == INVALID_TOKEN
    assert refusals[0] == "token: the issuer has no key with kid 'invented-0'"
    assert refusals[0].cause == "token_no_key"
    assert issuer.fetches == 2
    clock.move(29)
    call.bearer(build_token(key=new_key))
    assert issuer.fetches == 2
    clock.move(1)
    call.bearer(build_token(key=new_key))
    assert issuer.fetches == 3


def test_an_unknown_kid_while_the_issuer_is_away_is_refused_from_the_cache(call, issuer, build_token, new_key):
    call.bearer()
    issuer.away = True

    assert call.bearer(build_token(key=new_key)).status_code == 401
    assert call.bearer().status_code == 200


def test_threads_with_an_unknown_kid_share_one_fetch(call, issuer, build_token, issuer_key, new_key):
    call.bearer()
    issuer.publish(issuer_key, new_key)
    tokens = [build_token(key=new_key) for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        statuses = [answer.status_code for answer in pool.map(call.bearer, tokens)]

    assert statuses == [200] * 10
    assert issuer.fetches == 2


# --- the issuer is away -----------------------------------------------------------------------------------
def test_without_keys_the_api_is_unavailable(call, issuer, refusals):
    issuer.away = True

    check_unavailable(call.bearer(), refusals)


def test_an_issuer_that_is_away_is_asked_every_five_seconds(call, issuer, clock):
    issuer.away = True
    for _ in range(5):
        assert call.bearer().status_code == 503
    assert issuer.fetches == 1
    clock.move(5)
    assert call.bearer().status_code == 503
    assert issuer.fetches == 2


def test_the_api_comes_back_by_itself(call, issuer, clock):
    issuer.away = True
    assert call.bearer().status_code == 503
    issuer.away = False
    clock.move(5)

    assert call.bearer().status_code == 200


def test_old_keys_serve_on_while_the_issuer_is_away(call, issuer, clock):
    call.bearer()
    issuer.away = True
    clock.move(CACHE + STALE - 1)

    assert call.bearer().status_code == 200


def test_old_keys_do_not_serve_for_ever(call, issuer, clock, refusals):
    call.bearer()
    issuer.away = True
    clock.move(CACHE + STALE)

    check_unavailable(call.bearer(), refusals)


def test_while_old_keys_serve_the_issuer_is_asked_every_thirty_seconds(call, issuer, clock):
    call.bearer()
    issuer.away = True
    clock.move(CACHE)
    for _ in range(30):
        assert call.bearer().status_code == 200
        clock.move(1)
    assert issuer.fetches == 2
    call.bearer()
    assert issuer.fetches == 3


def test_requests_without_a_token_are_answered_while_the_issuer_is_away(call, issuer):
    issuer.away = True

    assert call.send("/any").status_code == 401
    assert call.send("/optional").status_code == 200


def test_anonymous_requests_do_not_ask_the_issuer(call, issuer):
    call.send("/optional")

    assert issuer.fetches == 0


# --- many threads -----------------------------------------------------------------------------------------
class Settings:
    ISSUER, HTTP_TIMEOUT_SECONDS, JWKS_CACHE_SECONDS, JWKS_STALE_SECONDS = "https://as.example", 5, CACHE, STALE


def test_the_first_threads_wait_for_one_fetch():
    calls, started = [], threading.Barrier(8)

    def fetch():
        calls.append(1)
        return ("key",)

    source = FetchedKeys(Settings, fetch)

    def load(_):
        started.wait(60)
        return source.load()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(load, range(8))) == {("key",)}
    assert len(calls) == 1


def test_threads_go_on_with_old_keys_while_one_fetches(clock):
    fetching, finish = threading.Event(), threading.Event()
    answers = iter([("old",), ("new",)])

    def fetch():
        keys = next(answers)
        if keys == ("new",):
            fetching.set()
            finish.wait(60)
        return keys

    source = FetchedKeys(Settings, fetch)
    source.load()
    clock.move(CACHE)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(source.load)
        fetching.wait(60)
        assert source.load() == ("old",)
        finish.set()
        assert slow.result(5) == ("new",)
    assert source.load() == ("new",)


def test_threads_that_waited_for_a_failure_do_not_ask_again():
    calls, started = [], threading.Barrier(4)

    def fetch():
        calls.append(1)
        raise DiscoveryError("the issuer is away")

    source = FetchedKeys(Settings, fetch)

    def load(_):
        started.wait(60)
        try:
            source.load()
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, range(4))) == ["TemporarilyUnavailable"] * 4
    assert len(calls) == 1


# --- over HTTP --------------------------------------------------------------------------------------------
@pytest.fixture
def documents():
    return {}


@pytest.fixture
def site(documents):
    def serve(environ, start_response):
        document = documents.get(environ["PATH_INFO"])
        return Response(json.dumps(document), status=200 if document else 404)(environ, start_response)

    server = make_server("127.0.0.1", 0, serve, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_are_discovered_over_http(site, documents, keys):
    key = keys("ES256", "issuer")
    documents["/.well-known/oauth-authorization-server"] = {"issuer": site, "jwks_uri": f"{site}/jwks"}
    documents["/jwks"] = {"keys": [key.public_jwk()]}

    [found] = fetch_keys(site, timeout=5)

    assert found.thumbprint == key.public.thumbprint


def test_an_api_checks_tokens_by_the_keys_it_discovered(site, documents, keys, build_token):
    key = keys("ES256", "issuer")
    documents["/.well-known/oauth-authorization-server"] = {"issuer": site, "jwks_uri": f"{site}/jwks"}
    documents["/jwks"] = {"keys": [{"kty": "oct", "k": "c2VjcmV0"}, key.public_jwk()]}
    api = flask.Flask("api")
    api.config.from_mapping(OAUTH2_ISSUER=site, OAUTH2_RESOURCE="https://api.example")
    require_oauth = ResourceProtector()
    require_oauth.init_app(api)
    api.get("/")(require_oauth()(lambda: "in"))

    def ask(**changes):
        return api.test_client().get("/", headers={"Authorization": f"Bearer {build_token(iss=site, **changes)}"})

    assert ask().status_code == 200
    assert ask(key=keys("ES256", "thief")).status_code == 401


@pytest.mark.parametrize("jwks_uri", [None, "http://evil.example/jwks", "file:///etc/passwd"])
def test_metadata_without_a_good_jwks_uri_is_no_source_of_keys(site, documents, jwks_uri):
    documents["/.well-known/oauth-authorization-server"] = {"issuer": site, "jwks_uri": jwks_uri}

    with pytest.raises(DiscoveryError, match="jwks_uri"):
        fetch_keys(site, timeout=5)


def test_an_issuer_whose_metadata_speaks_for_another_is_refused(site, documents):
    documents["/.well-known/oauth-authorization-server"] = {"issuer": "https://evil.example", "jwks_uri": f"{site}/j"}

    with pytest.raises(DiscoveryError, match="speaks for issuer"):
        fetch_keys(site, timeout=5)
