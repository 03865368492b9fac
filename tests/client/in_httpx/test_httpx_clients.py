"""The auth object in the clients that httpx has: other transports, streams, and what a program sees of a call."""

import asyncio
import pickle

import flask
import httpx
import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import (
    FreshProofTransport,
    HTTPXPrivateKeyJWTAuth,
    PrivateKeyJWTAuth,
    TokenRequestError,
)
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose


def is_for(headers, method, url):
    proof = jose.parse(headers["DPoP"], max_bytes=8192).claims
    return (headers["Authorization"], proof["htm"], proof["htu"]) == ("DPoP token-1", method, url)


@pytest.fixture
def echo_app():
    """A Flask app in this process that answers with what it got."""
    app = flask.Flask("api")

    @app.get("/values")
    def values():
        return dict(flask.request.headers)

    return app


# --- transports without a network -----------------------------------------------------------------------
@pytest.mark.parametrize("wrap", [lambda transport: transport, FreshProofTransport])
@pytest.mark.parametrize("library", ["httpx"])
def test_a_wsgi_app_in_this_process_gets_token_and_proof(wrap, send, api, echo_app):
    headers = send(make_transport=lambda: wrap(httpx.WSGITransport(echo_app))).json()

    assert is_for({"DPoP": headers["Dpop"], **headers}, "GET", api.url + "/values")


@pytest.mark.parametrize("library", ["httpx async"])
def test_an_asgi_app_in_this_process_gets_token_and_proof(send, api):
    async def app(scope, receive, send):
        headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(headers).encode()})

    answer = send(make_transport=lambda: httpx.ASGITransport(app))

    assert "'authorization', 'DPoP token-1'" in answer.text
    assert "'dpop', 'eyJ" in answer.text


def test_a_mock_sees_token_and_proof(send, api):
    seen = []

    def answer(request):
        seen.append(is_for(request.headers, request.method, api.url + "/values"))
        return httpx.Response(200)

    send(make_transport=lambda: httpx.MockTransport(answer))

    assert seen == [True]


# --- what a program sees --------------------------------------------------------------------------------
def test_the_answer_of_a_stream_is_not_read_by_the_auth_object(make_auth, api):
    api.nonce = "first"

    with (
        httpx.Client(auth=make_auth(), trust_env=False) as client,
        client.stream("GET", api.url) as answer,
    ):
        assert not answer.is_stream_consumed
        assert answer.read() == b"ok"


def test_the_request_of_an_answer_shows_what_was_sent(send, api):
    sent = send().request

    assert jose.parse(sent.headers["DPoP"], max_bytes=8192).claims["jti"] == api.proofs[0]["jti"]
    assert sent.headers["Authorization"] == "DPoP token-1"


def test_nothing_that_is_shown_or_pickled_holds_the_key(send):
    sent = send().request

    assert "eyJ" not in repr(sent.headers) + repr(sent.extensions)
    assert "token-1" not in repr(sent.headers) + repr(sent.extensions)
    assert pickle.loads(pickle.dumps(sent)).extensions == {}


def test_one_request_object_may_be_sent_twice(make_auth, api):
    with httpx.Client(auth=make_auth(), trust_env=False) as client:
        request = client.build_request("GET", api.url)
        for _ in range(2):
            assert client.send(request).text == "ok"

    assert len({proof["jti"] for proof in api.proofs}) == 2


def test_a_failed_call_says_which_request_it_was(send, api, token_server):
    token_server.script = [token_server.refuse("invalid_client")]

    with pytest.raises(TokenRequestError) as caught:
        send()
    assert isinstance(caught.value, httpx.RequestError)
    assert caught.value.request.url == api.url + "/values"
    assert (caught.value.error, caught.value.status) == ("invalid_client", 400)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("wrap", [None, FreshProofTransport])
@pytest.mark.parametrize("library", ["httpx"])
def test_a_hook_may_replace_the_headers(wrap, kept, send, api):
    """Without our transport, what the hook sends is sent; nothing is asked again and again."""

    def replace(request):
        request.headers = httpx.Headers({**(dict(request.headers) if kept else {"Host": "api"}), "X-Mine": "1"})

    api.usual_answer = lambda call: Response(status=200 if "Authorization" in call.headers else 401)

    answer = send(client={"event_hooks": {"request": [replace]}}, **({"make_transport": wrap} if wrap else {}))

    assert answer.status_code == (200 if kept or wrap else 401)
    assert len(api.calls) == 1
    assert api.calls[0].headers["X-Mine"] == "1"


# --- construction ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [
        {"resource": None},
        {"resource": "http://api.example"},
        {"dpop": False, "dpop_key": "key.pem"},
        {"timeout": 0},
        {"audience": "issuer"},
        {"key": "missing.pem"},
        {"proxies": {"https": "nonsense"}},
        {"ca_bundle": "missing.pem"},
    ],
)
def test_it_is_refused_for_what_the_other_one_is_refused_for(options, token_server, api, key):
    sentences = []
    for kind in (PrivateKeyJWTAuth, HTTPXPrivateKeyJWTAuth):
        with pytest.raises(ConfigurationError) as refused:
            kind(token_server.url, "billing", **{"key": key, "resource": api.url, "dpop": True, **options})
        sentences.append(str(refused.value))

    assert sentences[0] == sentences[1]


def test_what_a_call_refuses_first_is_no_token_request(make_auth, other_api, token_server):
    async def main():
        async with httpx.AsyncClient(auth=make_auth()) as client:
            await client.get(other_api.url)

    with pytest.raises(httpx.RequestError, match="Nothing was sent there"):
        asyncio.run(main())
    assert token_server.discoveries == 0
