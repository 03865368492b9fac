"""A token server or an API that means harm: the call ends with an error of httpx, and nothing leaks on the way."""

import threading

import httpx
import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import DiscoveryError, TokenRequestError
from flask_private_key_jwt.fetching.exchange import MAX_BYTES
from tests.client.conftest import json_answer, redirect


def endless():
    while True:
        yield b" " * 65536


def issue(**members):
    return json_answer({"access_token": "token-x", "token_type": "DPoP", "expires_in": 600, **members})


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: Response(b" " * (MAX_BYTES + 1)), "more than 1048576 bytes"),
        (lambda: Response(endless()), "more than 1048576 bytes"),
        (lambda: issue(token_type="Bearer"), "of type 'Bearer', not DPoP: it may not support DPoP"),
        (lambda: issue(token_type=None), "not DPoP"),
        (lambda: issue(access_token="a\r\nX-Evil: b"), "no usable access_token"),
        (lambda: issue(access_token="é"), "no usable access_token"),
        (lambda: Response(b'{"access_token":"a","access_token":"b"}'), "is not usable"),
        (lambda: Response(b"[" * 99999), "is not usable"),
        (lambda: Response(b"x", headers={"Content-Encoding": "gzip"}), "."),
    ],
)
def test_what_is_no_bound_token_is_never_sent(answer, says, send, api, token_server):
    token_server.script = [answer()]

    with pytest.raises(TokenRequestError, match=says) as caught:
        send()
    assert isinstance(caught.value, httpx.RequestError)
    assert api.calls == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_endpoint_cannot_send_the_assertion_on(status, send, api, other_api, token_server):
    token_server.script = [redirect(other_api.url + "/token", status)]

    with pytest.raises(TokenRequestError, match=f"status {status}"):
        send()
    assert other_api.calls == []
    assert api.calls == []


def test_a_token_server_that_asks_for_nonces_without_end_is_left(send, api, token_server):
    token_server.usual_answer = lambda call: token_server.ask_for_nonce(f"n{len(token_server.calls)}")

    with pytest.raises(TokenRequestError, match="did not take the one it gave"):
        send()
    assert len(token_server.calls) == 2
    assert api.calls == []


def test_an_api_that_asks_for_nonces_without_end_is_left(send, api):
    api.usual_answer = lambda call: api.ask_for_nonce(f"n{len(api.calls)}")

    assert send().status_code == 401
    assert len(api.calls) == 2


def test_an_api_that_refuses_every_token_is_left(send, api, token_server):
    api.usual_answer = lambda call: api.refuse()

    assert send().status_code == 401
    assert len(api.calls) == 2
    assert token_server.issued == 2


def test_an_api_that_does_both_in_turn_is_left(send, api):
    api.usual_answer = lambda call: api.refuse() if len(api.calls) % 2 else api.ask_for_nonce(f"n{len(api.calls)}")

    assert send().status_code == 401
    assert len(api.calls) == 3


def test_a_token_server_that_is_slow_is_left_in_time(send, make_auth, api, token_server):
    auth = make_auth(timeout=0.3)
    auth.token_client.metadata()
    token_server.gate = threading.Event()

    with pytest.raises(TokenRequestError, match=r"did not answer within 0\.3 seconds") as caught:
        send(auth=auth)
    token_server.gate.set()
    assert isinstance(caught.value, httpx.RequestError)
    assert api.calls == []


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"issuer": "https://evil.example"}, "speaks for issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "not https"),
        ({"token_endpoint": None}, "names no token_endpoint"),
    ],
)
def test_metadata_that_must_not_be_used_get_no_assertion(members, says, send, api, token_server):
    token_server.metadata_members = members

    with pytest.raises(DiscoveryError, match=says) as caught:
        send()
    assert isinstance(caught.value, httpx.RequestError)
    assert [call for call in token_server.calls if call.method == "POST"] == api.calls == []


def test_nothing_secret_is_logged(send, api, token_server, caplog):
    caplog.set_level("DEBUG")
    token_server.nonce, api.nonce = "for-tokens", "for-calls"
    api.script = [None, api.refuse(), redirect("/elsewhere")]

    assert send().status_code == 200
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")
    assert "got a DPoP token" in ours
    assert "eyJ" not in ours
    assert "token-1" not in ours
