"""Retries that an adapter makes by itself: it asks no auth object, and yet no proof goes out twice."""

import copy
import pickle
import socket
import threading

import flask
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from werkzeug.wrappers import Response

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.client.headers import TokenHeaders
from flask_private_key_jwt.client.proofs import Prover
from flask_private_key_jwt.jose import jose
from tests.client.conftest import redirect, serving
from tests.conftest import START


@pytest.fixture
def session(session):
    """A session that tries again after a 503 or a lost connection, whatever the method."""
    retry = Retry(3, status_forcelist=[503], allowed_methods=None, backoff_factor=0, raise_on_status=False)
    session.mount("http://", HTTPAdapter(max_retries=retry))
    return session


def away():
    return Response("later", status=503)


def jtis(api):
    return [proof["jti"] for proof in api.proofs]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_passing_503_is_tried_again_with_a_proof_of_its_own(method, call_api, api):
    api.script = [away(), away()]

    answer = call_api(method=method, data=b"body" if method == "POST" else None)

    assert answer.status_code == 200
    assert len(set(jtis(api))) == len(api.calls) == 3
    assert all(call.fits_proof() for call in api.calls)
    assert api.tokens == ["DPoP token-1"] * 3


def test_each_proof_is_made_when_it_is_sent(call_api, api, clock):
    usual = api.answer

    def later(request, call):
        clock.move(30)
        return usual(request, call)

    api.answer = later
    api.script = [away()]

    call_api()

    assert [proof["iat"] for proof in api.proofs] == [START, START + 30]


def test_a_bearer_call_is_tried_again_as_it_is(call_api, api):
    api.script = [away()]

    assert call_api(options={"dpop": False}).status_code == 200
    assert api.tokens == ["Bearer token-1"] * 2
    assert [call.proof for call in api.calls] == [None, None]


def test_a_503_that_stays_is_returned(call_api, api):
    api.script = [away()] * 4

    assert call_api().status_code == 503
    assert len(set(jtis(api))) == len(api.calls) == 4


def test_a_nonce_and_a_renewal_are_answered_after_such_retries(call_api, api):
    api.script = [away(), api.ask_for_nonce("first"), away(), api.refuse(), away()]

    assert call_api(method="PUT", json={"a": 1}).status_code == 200
    assert len(set(jtis(api))) == len(api.calls) == 6
    assert [proof.get("nonce") for proof in api.proofs] == [None, None, "first", "first", "first", "first"]
    assert api.tokens == ["DPoP token-1"] * 4 + ["DPoP token-2"] * 2


def test_a_retry_after_a_redirect_has_a_proof_for_the_new_place(call_api, api):
    api.script = [away(), redirect("/elsewhere", 303), away()]

    assert call_api(method="POST", data={"a": "b"}).status_code == 200
    assert [proof["htm"] for proof in api.proofs] == ["POST", "POST", "GET", "GET"]
    assert len(set(jtis(api))) == 4
    assert all(call.fits_proof() for call in api.calls)


def test_a_request_that_is_sent_twice_by_hand_has_two_proofs(call_api, api, session, make_auth):
    prepared = session.prepare_request(requests.Request("GET", api.url + "/values", auth=make_auth()))

    for _ in range(2):
        assert session.send(prepared).status_code == 200

    assert len(set(jtis(api))) == 2


def test_the_request_of_an_answer_shows_what_was_sent(call_api, api):
    sent = call_api().request

    assert jose.parse(sent.headers["DPoP"], max_bytes=8192).claims["jti"] == jtis(api)[0]
    assert sent.headers["DPoP"] in repr(sent.headers)
    assert sent.headers["DPoP"] in repr(sent.headers)  # looking at it changes nothing


def count_calls(function, calls):
    def counted(*args, **kwargs):
        calls.append(args)
        return function(*args, **kwargs)

    return counted


class HangsUp:
    """An API that reads a request and drops the connection, so often; then it says ok."""

    def __init__(self, times):
        self.proofs = []
        self._times = times
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self._thread.join()
        self._listener.close()

    def _serve(self):
        for number in range(self._times + 1):
            connection, _ = self._listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(4096)
                lines = head.decode().split("\r\n")
                self.proofs += [line.partition(": ")[2] for line in lines if line.startswith("DPoP: ")]
                if number == self._times:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def test_a_lost_connection_is_tried_again_with_a_proof_of_its_own(session, make_auth):
    api = HangsUp(times=2)
    answer = session.get(api.url, auth=make_auth(resource=api.url))
    api.close()

    assert answer.text == "ok"
    assert len(set(api.proofs)) == len(api.proofs) == 3


class Relay:
    """A plain http proxy of the session: urllib3 copies the headers for it."""

    def __init__(self, api):
        self.api = api
        self.url = ""

    def __call__(self, environ, start_response):
        return self.api(environ, start_response)


def test_a_retry_through_a_plain_proxy_has_a_proof_of_its_own(call_api, api, session):
    api.script = [away()]
    with serving(Relay(api)) as relay:
        session.proxies = {"http": relay.url}
        assert call_api().status_code == 200

    assert len(set(jtis(api))) == len(api.calls) == 2


# --- our own API ----------------------------------------------------------------------------------------
class FirstAway:
    """A real API whose view, past every check, says 503 the first time."""

    url = ""

    def __init__(self, issuer_key):
        self._key = issuer_key
        self.statuses = []
        self._app = None

    def __call__(self, environ, start_response):
        if self._app is None:
            self._app = self._make()
        return self._app(environ, start_response)

    def _make(self):
        app = flask.Flask("api")
        app.config.from_mapping(
            OAUTH2_ISSUER="https://as.example", OAUTH2_RESOURCE=self.url, OAUTH2_REPLAY_STORE="memory"
        )
        require_oauth = ResourceProtector()
        require_oauth.init_app(app)
        guard = app.extensions["private_key_jwt_resource"]
        guard.fetched_keys._fetch = lambda: (jose.import_public_jwk(self._key.public_jwk()),)

        @app.get("/values")
        @require_oauth(dpop="required")
        def values():
            return ("later", 503) if len(self.statuses) == 0 else "ok"

        app.after_request(lambda answer: self.statuses.append(answer.status_code) or answer)
        return app


def test_our_own_api_that_was_away_for_a_moment_is_served(session, make_auth, token_server, keys, clock):
    issuer_key = keys("ES256", "issuer")
    with serving(FirstAway(issuer_key)) as served:
        auth = make_auth(resource=served.url)
        usual = token_server.issue

        def issue(call):
            claims = {"iss": "https://as.example", "aud": served.url, "sub": "s", "client_id": "c", "jti": "t"}
            claims |= {"iat": clock.now, "exp": clock.now + 600, "cnf": {"jkt": call.proof_key.thumbprint}}
            header = {"typ": "at+jwt", "kid": issuer_key.public.thumbprint}
            token_server.members = {"access_token": jose.sign(header, claims, issuer_key)}
            return usual(call)

        token_server.issue = issue
        answer = session.get(served.url + "/values", auth=auth)

    assert (answer.status_code, served.statuses) == (200, [503, 200])


# --- the headers themselves -----------------------------------------------------------------------------
@pytest.fixture
def headers():
    made = TokenHeaders({"Accept": "*/*"})
    numbers = iter(range(100))
    made.authorize("DPoP x", lambda: f"proof-{next(numbers)}")
    return made


def test_each_look_for_a_send_gives_another_proof(headers):
    assert [dict(headers.items())["DPoP"] for _ in range(3)] == ["proof-0", "proof-1", "proof-2"]
    assert headers["DPoP"] == "proof-2"


def test_a_copy_never_sends_what_the_original_may_send(headers):
    copied = headers.copy()

    assert dict(copied.items())["DPoP"] == "proof-0"
    assert dict(headers.items())["DPoP"] == "proof-1"
    assert dict(headers.copy().items())["DPoP"] == "proof-2"


def test_one_call_costs_one_proof(call_api, api, monkeypatch):
    made = []
    monkeypatch.setattr(Prover, "prove", count_calls(Prover.prove, made))

    call_api(options={"dpop": True})

    assert len(made) == 2  # one for the token, one for the call


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_for_elsewhere_makes_no_proofs(duplicate, headers):
    kept = duplicate(headers)

    assert kept == headers
    assert kept._prove is None


def test_without_a_proof_the_headers_stay(headers):
    plain = TokenHeaders({"Accept": "*/*"})
    plain.authorize("Bearer x")

    assert dict(plain.items()) == dict(plain.items()) == {"Accept": "*/*", "Authorization": "Bearer x"}
