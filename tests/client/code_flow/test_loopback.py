"""client/code_flow/loopback.py: strangers who call the listener neither end the wait nor learn anything."""

import contextlib
import http.client
import socket
from urllib.parse import urlencode, urlsplit

import pytest

from flask_private_key_jwt.client.code_flow import loopback
from flask_private_key_jwt.client.code_flow.answer import is_state_of
from flask_private_key_jwt.client.code_flow.loopback import LoopbackListener
from flask_private_key_jwt.client.errors import SignInError
from tests.client.code_flow.conftest import ANSWER, PENDING


@pytest.fixture
def listener():
    with LoopbackListener() as listener:
        listener.expect(lambda values: is_state_of(values, PENDING))
        yield listener


def call(listener, target=None, *, method="GET", host=None, **changes):
    """Call the listener with the right answer, changed; ``None`` leaves a parameter out."""
    place = urlsplit(listener.redirect_uri)
    values = {name: value for name, value in {**ANSWER, **changes}.items() if value is not None}
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=5)
    connection.request(method, target or f"{place.path}?{urlencode(values)}", headers={"Host": host or place.netloc})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def waits(listener):
    """Whether the listener has no answer yet."""
    with pytest.raises(SignInError) as caught:
        listener.wait(seconds=0.01)
    return caught.value.cause == "sign_in_timeout"


def test_the_right_answer_ends_the_wait(listener):
    answer, text = call(listener)

    assert listener.wait(seconds=5) == ANSWER
    assert (answer.status, "You may close this page" in text) == (200, True)


def test_it_listens_on_loopback_at_a_port_of_its_own(listener):
    place = urlsplit(listener.redirect_uri)

    assert (place.scheme, place.hostname, place.path) == ("http", "127.0.0.1", "/callback")
    with LoopbackListener() as other:
        assert urlsplit(other.redirect_uri).port != place.port


def test_no_other_program_can_listen_on_its_port(listener):
    port = urlsplit(listener.redirect_uri).port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError):
            other.bind(("127.0.0.1", port))


def test_after_the_wait_nobody_is_there(listener):
    with LoopbackListener() as other:
        pass

    with pytest.raises(OSError):
        call(other)


@pytest.mark.parametrize("target", ["/", "/favicon.ico", "/callback/", "/callbac", "/%63allback"])
def test_other_paths_do_not_end_the_wait(target, listener):
    query = urlencode(ANSWER)
    answer, text = call(listener, f"{target}?{query}")

    assert (answer.status, waits(listener)) == (404, True)
    assert not any(value in text for value in ANSWER.values())


@pytest.mark.parametrize(
    "change",
    [
        {"state": "guessed"},
        {"state": None},
        {"state": ""},
        {"state": "é" * 10},
        {"error": "access_denied", "state": "guessed"},
    ],
)
def test_wrong_state_does_not_end_the_wait_and_shows_nothing(change, listener):
    answer, text = call(listener, **change)

    assert (answer.status, waits(listener)) == (400, True)
    assert "access_denied" not in text
    assert PENDING.state not in text

    call(listener)
    assert listener.wait(seconds=5) == ANSWER


def test_state_that_is_there_twice_is_no_answer(listener):
    answer, _ = call(listener, f"/callback?{urlencode(ANSWER)}&state=x")

    assert (answer.status, waits(listener)) == (400, True)


def test_long_query_is_no_answer(listener):
    answer, _ = call(listener, code="c" * 17_000)

    assert (answer.status, waits(listener)) == (400, True)


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "evil.example:{port}"])
def test_another_name_for_this_machine_is_not_answered(host, listener):
    answer, _ = call(listener, host=host.format(port=urlsplit(listener.redirect_uri).port))

    assert (answer.status, waits(listener)) == (404, True)


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT", "<script>"])
def test_other_methods_do_not_end_the_wait(method, listener):
    answer, text = call(listener, method=method)

    assert (answer.status, waits(listener)) == (501, True)
    assert "<script>" not in text
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_nothing_counts_before_it_is_known_what_is_expected():
    with LoopbackListener() as listener:
        answer, _ = call(listener)

        assert (answer.status, waits(listener)) == (400, True)


def test_error_of_the_server_is_shown_escaped(listener):
    _, text = call(listener, code=None, error="<script>alert(1)</script>")

    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert listener.wait(seconds=5)["error"] == "<script>alert(1)</script>"


def test_pages_are_kept_by_nobody_and_run_nothing(listener):
    for change in ({}, {"state": "guessed"}):
        headers = call(listener, **change)[0].headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Python" not in headers["Server"]


def test_code_is_not_on_the_terminal(listener, capfd):
    call(listener)
    call(listener, state="guessed")

    assert capfd.readouterr() == ("", "")


def test_second_answer_changes_nothing(listener):
    call(listener)
    call(listener, code="c-2")

    assert listener.wait(seconds=5)["code"] == "c-1"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",  # TLS
        b"GET\r\n\r\n",
        b"GET /callback\r\n",
        b"GET /callback HTTP/9.9\r\n\r\n",
        b"GET /callback HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /callback HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /callback?state=\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET http://evil.example/callback HTTP/1.1\r\n\r\n",
        b"",
    ],
    ids=lambda garbage: repr(garbage[:24]),
)
def test_what_is_no_browser_does_not_end_the_wait(garbage, listener, capfd):
    with socket.create_connection(("127.0.0.1", urlsplit(listener.redirect_uri).port), timeout=5) as stranger:
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while stranger.recv(4096):
                pass

    assert waits(listener)
    assert capfd.readouterr() == ("", "")
    call(listener)
    assert listener.wait(seconds=5) == ANSWER


def test_time_out_says_what_to_do(listener):
    with pytest.raises(SignInError, match=r"did not come back within 0.01 seconds. Sign in once more") as caught:
        listener.wait(seconds=0.01)
    assert caught.value.cause == "sign_in_timeout"


def test_strangers_who_say_nothing_do_not_keep_the_browser_out(listener, monkeypatch):
    monkeypatch.setattr(loopback, "CONNECTION_SECONDS", 0.05)
    place = urlsplit(listener.redirect_uri)
    silent = [socket.create_connection(("127.0.0.1", place.port)) for _ in range(2 * loopback.MOST_CONNECTIONS)]
    for connection in silent:  # each is ended, whether it got a place or not
        connection.settimeout(5)
        while connection.recv(4096):
            pass
        connection.close()

    call(listener)
    assert listener.wait(seconds=5) == ANSWER
