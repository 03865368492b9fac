"""client/introspection.py: a token asked about, as it goes over the wire, and what is no answer to that."""

import dataclasses
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import requests
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import (
    DiscoveryError,
    Introspection,
    IntrospectionClient,
    IntrospectionError,
    client_steps,
)
from flask_private_key_jwt.client.introspection import INTROSPECTION
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.fetching import discovery, exchange
from flask_private_key_jwt.jose import jose

OPAQUE = "opaque.refresh~token"


# --- what is sent ---------------------------------------------------------------------------------------
def test_an_introspection_request_is_a_form_with_an_assertion(make_introspector, token_server, key):
    make_introspector().introspect("token-1")

    [call] = token_server.calls
    assert (call.method, call.url) == ("POST", token_server.url + "/introspection")
    assert "Authorization" not in call.headers
    assert "Dpop" not in call.headers
    assert jose.verify(call.assertion, key.public)
    assert call.assertion.claims["aud"] == token_server.url
    assert call.form.pop("client_assertion").count(".") == 2
    assert call.form == {
        "token": "token-1",
        "client_id": "billing",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


def test_the_hint_is_sent_when_there_is_one(make_introspector, token_server):
    make_introspector().introspect("token-1", token_type_hint="access_token")

    assert token_server.calls[0].form["token_type_hint"] == "access_token"


def test_every_question_has_an_assertion_of_its_own(make_introspector, token_server):
    client = make_introspector()
    for _ in range(3):
        client.introspect("token-1")

    assert len({call.assertion.claims["jti"] for call in token_server.calls}) == 3
    assert token_server.discoveries == 1


def test_the_audience_is_the_token_endpoint_where_that_is_asked_for(make_introspector, token_server):
    make_introspector(audience=f"{token_server.url}/token").introspect("token-1")

    assert token_server.calls[0].assertion.claims["aud"] == token_server.url + "/token"


# --- what is answered -----------------------------------------------------------------------------------
def test_an_active_token_is_told_with_its_claims(make_introspector):
    introspection = make_introspector().introspect("token-1")

    assert introspection == Introspection(True, {"scope": "read", "sub": "alice"})


def test_an_inactive_token_is_told(make_introspector, token_server):
    token_server.revoked = ["token-1"]

    assert make_introspector().introspect("token-1") == Introspection(False, {})


def test_what_an_answer_says_of_an_inactive_token_is_not_taken(make_introspector, token_server):
    token_server.script = [Response(json.dumps({"active": False, "sub": "alice"}))]

    assert make_introspector().introspect("token-1").claims == {}


def test_an_introspection_is_frozen_and_shows_no_claims(make_introspector):
    introspection = make_introspector().introspect("token-1")

    assert "alice" not in repr(introspection)
    with pytest.raises(dataclasses.FrozenInstanceError):
        introspection.active = False


# --- what is no answer ----------------------------------------------------------------------------------
@pytest.mark.parametrize("active", ["true", "True", 1, 0, 1.0, None, [], [True], {}, "active"])
def test_an_answer_that_is_neither_true_nor_false_is_none(active, make_introspector, token_server):
    token_server.script = [Response(json.dumps({"active": active, "sub": "alice"}))]

    with pytest.raises(IntrospectionError, match="does not say whether the token is active") as caught:
        make_introspector().introspect("token-1")
    assert caught.value.status == 200


def test_an_answer_without_active_is_none(make_introspector, token_server):
    token_server.script = [Response("{}")]

    with pytest.raises(IntrospectionError, match="does not say whether the token is active"):
        make_introspector().introspect("token-1")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[true]", b"true", b'{"active":false,"active":true}', b"\xff", b"[" * 99999]
)
def test_a_success_that_is_no_json_object_is_no_answer(body, make_introspector, token_server):
    token_server.script = [Response(body)]

    with pytest.raises(IntrospectionError, match="The introspection endpoint's answer is not usable"):
        make_introspector().introspect("token-1")


@pytest.mark.parametrize("status", [201, 203, 206, 302, 400, 404, 500])
def test_an_active_token_is_believed_with_status_200_only(status, make_introspector, token_server):
    token_server.script = [Response(b'{"active": true}', status=status)]

    with pytest.raises(IntrospectionError, match=f"answered with status {status} and no OAuth error") as caught:
        make_introspector().introspect("token-1")
    assert caught.value.status == status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status, make_introspector, token_server, other_api):
    token_server.script = [Response(status=status, headers={"Location": other_api.url + "/introspection"})]

    with pytest.raises(IntrospectionError, match=f"status {status}"):
        make_introspector().introspect("token-1")
    assert other_api.calls == []


@pytest.mark.parametrize("endpoint", [None, 5, "http://evil.example/introspect", "/introspect", "ftp://a/b"])
def test_an_unsafe_endpoint_is_told_no_token(endpoint, make_introspector, token_server):
    token_server.metadata_members = {"introspection_endpoint": endpoint}

    with pytest.raises(DiscoveryError, match="introspection_endpoint"):
        make_introspector().introspect("token-1")
    assert token_server.calls == []


def test_metadata_of_another_issuer_is_told_no_token(make_introspector, token_server):
    token_server.metadata_members = {"issuer": "https://evil.example"}

    with pytest.raises(DiscoveryError, match=r"speaks for issuer 'https://evil\.example'"):
        make_introspector().introspect("token-1")
    assert [call.method for call in token_server.calls] == ["GET"]  # at OpenID's location


# --- refusals -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", INTROSPECTION.advice)
def test_a_refusal_says_what_to_do(error, make_introspector, token_server):
    token_server.script = [token_server.refuse(error, 401, error_description="Because.")]

    with pytest.raises(IntrospectionError) as caught:
        make_introspector().introspect("token-1")
    refusal, advice = caught.value, INTROSPECTION.advice[error]
    assert (refusal.error, refusal.description, refusal.status) == (error, "Because.", 401)
    assert str(refusal) == f'The introspection endpoint refused with 401 {error} ("Because."). {advice}'


@pytest.mark.parametrize(
    "echo", [OPAQUE, f"Bad: {OPAQUE}!", OPAQUE * 300, f"\x00{OPAQUE}\r\n", "x" * 195 + OPAQUE, "x" * 1995 + OPAQUE]
)
def test_a_token_that_comes_back_in_a_refusal_is_not_shown(echo, make_introspector, token_server):
    token_server.script = [token_server.refuse(echo, error_description=echo)]

    with pytest.raises(IntrospectionError) as caught:
        make_introspector().introspect(OPAQUE)
    shown = f"{caught.value!r} {vars(caught.value)!r}"
    assert OPAQUE[:6] not in shown
    assert len(shown) < 2000


def test_no_exception_leads_to_a_token_or_an_assertion(make_introspector, token_server):
    client = make_introspector(timeout=0.5)
    client.metadata()
    token_server.gate = threading.Event()

    with pytest.raises(IntrospectionError, match=r"Nothing is known of the token: .* within 0\.5 seconds") as caught:
        client.introspect(OPAQUE)
    token_server.gate.set()
    chain, error = [], caught.value
    while error:
        chain.append(f"{error!r} {vars(error)!r}")
        error = error.__cause__ or error.__context__
    assert "eyJ" not in "".join(chain)
    assert OPAQUE not in "".join(chain)


def test_nothing_secret_is_logged(make_introspector, token_server, caplog):
    caplog.set_level("DEBUG")
    make_introspector().introspect(OPAQUE)
    token_server.script = [token_server.refuse("invalid_client")]
    with pytest.raises(IntrospectionError):
        make_introspector().introspect(OPAQUE)

    assert "eyJ" not in caplog.text
    assert OPAQUE not in caplog.text


# --- servers that are away ------------------------------------------------------------------------------
def test_what_goes_wrong_on_the_way_is_an_exception_of_requests(make_introspector, token_server):
    token_server.script = [token_server.refuse("invalid_client", 401)]

    with pytest.raises(requests.RequestException):
        make_introspector().introspect("token-1")


@pytest.mark.parametrize("status", [301, 307, 404, 410])
def test_an_endpoint_that_has_moved_is_looked_up_again(status, make_introspector, token_server):
    client = make_introspector()
    token_server.script = [Response(status=status)]
    with pytest.raises(IntrospectionError):
        client.introspect("token-1")

    assert client.introspect("token-1").active
    assert token_server.discoveries == 2


@pytest.mark.parametrize("status", [400, 401, 500])
def test_an_endpoint_that_refuses_is_not_looked_up_again(status, make_introspector, token_server):
    client = make_introspector()
    token_server.script = [Response(status=status)]
    with pytest.raises(IntrospectionError):
        client.introspect("token-1")
    client.introspect("token-1")

    assert token_server.discoveries == 1


def test_discovery_and_question_share_one_time_limit(make_introspector, token_server, monkeypatch):
    waits = []
    ticks = iter([100.0, 100.0, 100.0])  # the question begins, so does discovery; three seconds later it is over
    stopwatch = SimpleNamespace(monotonic=lambda: next(ticks, 103.0))

    def note(method, url, *, timeout, **options):
        waits.append(timeout)
        return usual(method, url, timeout=timeout, **options)

    usual = exchange.exchange
    monkeypatch.setattr(exchange, "exchange", note)
    for module in (discovery, client_steps, exchange):
        monkeypatch.setattr(module, "time", stopwatch)

    make_introspector(timeout=5).introspect("token-1")

    assert waits == [5.0, 2.0]


def test_of_the_threads_that_need_the_metadata_one_fetches_it(make_introspector, token_server):
    client = make_introspector()
    started = threading.Barrier(8)

    def introspect(_):
        started.wait(60)
        return client.introspect("token-1").active

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(introspect, range(8)))
    assert len(token_server.calls) == 8
    assert token_server.discoveries < 8


# --- construction ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("issuer", ["", "as.example", "http://as.example", "https://as.example?x"])
def test_a_wrong_issuer_is_an_error_at_construction(issuer, key):
    with pytest.raises(ConfigurationError, match=r"The issuer .* is not accepted: it must"):
        IntrospectionClient(issuer, "billing", key=key)


def test_a_missing_key_is_an_error_at_construction():
    with pytest.raises(ConfigurationError, match=r"The key file 'missing\.pem' cannot be read"):
        IntrospectionClient("https://as.example", "billing", key="missing.pem")


def test_a_server_that_is_away_is_a_sentence(key):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(DiscoveryError, match="cannot be reached: is the server running"):
        IntrospectionClient(issuer, "billing", key=key).introspect("token-1")


# --- what says nothing ----------------------------------------------------------------------------------
def test_members_about_a_token_are_told_as_they_were_said(make_introspector, token_server):
    said = {"sub": "alice", "cnf": None, "aud": [], "scope": ""}  # absent, they could mean less protection
    token_server.script = [Response(json.dumps({"active": True, **said}), content_type="application/json")]

    assert make_introspector().introspect("token-1") == Introspection(True, said)


@pytest.mark.parametrize("active", [None, "", []])
def test_an_active_that_is_unset_is_no_answer(make_introspector, token_server, active):
    token_server.script = [Response(json.dumps({"active": active}), content_type="application/json")]

    with pytest.raises(IntrospectionError, match="does not say whether the token is active"):
        make_introspector().introspect("token-1")
