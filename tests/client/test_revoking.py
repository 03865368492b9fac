"""``TokenClient.revoke_token``: a token taken back, as it goes over the wire, and every way it can fail."""

import socket
import threading

import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import DiscoveryError, RevocationError
from flask_private_key_jwt.client.revocation import REVOCATION
from tests.client.libraries import TOKEN_CLIENTS

OPAQUE = "opaque.refresh~token"


@pytest.fixture(params=TOKEN_CLIENTS)
def library(request):
    return request.param


def test_a_revocation_request_is_a_form_with_an_assertion(make_client, token_server):
    make_client().revoke_token("token-1")

    [call] = token_server.calls
    assert (call.method, call.url) == ("POST", token_server.url + "/revocation")
    assert "Authorization" not in call.headers
    assert call.assertion.claims["aud"] == token_server.url
    assert call.form.pop("client_assertion").count(".") == 2
    assert call.form == {
        "token": "token-1",
        "client_id": "billing",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert token_server.revoked == ["token-1"]


def test_the_hint_is_sent_when_there_is_one(make_client, token_server):
    make_client().revoke_token(OPAQUE, token_type_hint="refresh_token")

    assert token_server.calls[0].form["token_type_hint"] == "refresh_token"


def test_a_bound_token_is_revoked_without_a_proof(make_client, token_server, keys):
    make_client(dpop_key=keys("ES256", "dpop")).revoke_token("token-1")

    assert "Dpop" not in token_server.calls[0].headers


@pytest.mark.parametrize("body", [b"", b"{}", b"done", b'{"error":"invalid_client"}', b"\xff"])
def test_200_is_done_whatever_the_body_holds(body, make_client, token_server):
    token_server.script = [Response(body)]

    assert make_client().revoke_token("token-1") is None


@pytest.mark.parametrize("status", [202, 302, 400, 404, 500])
def test_any_other_status_is_not_done(status, make_client, token_server):
    token_server.script = [Response(b"", status=status)]

    with pytest.raises(RevocationError, match=f"answered with status {status} and no OAuth error") as caught:
        make_client().revoke_token("token-1")
    assert caught.value.status == status


@pytest.mark.parametrize("error", REVOCATION.advice)
def test_a_refusal_says_what_to_do(error, make_client, token_server):
    token_server.script = [token_server.refuse(error, error_description="Because.")]

    with pytest.raises(RevocationError) as caught:
        make_client().revoke_token("token-1")
    assert caught.value.error == error
    assert str(caught.value) == (
        f'The revocation endpoint refused with 400 {error} ("Because."). {REVOCATION.advice[error]}'
    )


def test_a_token_that_comes_back_in_a_refusal_is_not_shown(make_client, token_server):
    token_server.script = [token_server.refuse("invalid_request", error_description=f"Bad: {OPAQUE}")]

    with pytest.raises(RevocationError) as caught:
        make_client().revoke_token(OPAQUE)
    assert caught.value.description == "Bad: [token]"
    assert OPAQUE not in f"{caught.value!r} {vars(caught.value)!r}"


@pytest.mark.parametrize("endpoint", [None, "http://evil.example/revoke", "/revoke"])
def test_an_unsafe_endpoint_is_told_no_token(endpoint, make_client, token_server):
    token_server.metadata_members = {"revocation_endpoint": endpoint}

    with pytest.raises(DiscoveryError, match="revocation_endpoint"):
        make_client().revoke_token("token-1")
    assert token_server.calls == []


def test_an_endpoint_that_is_away_may_not_have_done_it(make_client, token_server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"http://127.0.0.1:{listener.getsockname()[1]}/revoke"
    token_server.metadata_members = {"revocation_endpoint": gone}

    with pytest.raises(RevocationError, match=f"The token may still count: {gone} cannot be reached") as caught:
        make_client().revoke_token("token-1")
    assert caught.value.status is None


def test_an_endpoint_that_does_not_answer_is_left(make_client, token_server):
    client = make_client(timeout=0.5)
    client.metadata()
    token_server.gate = threading.Event()

    with pytest.raises(RevocationError, match=r"did not answer within 0\.5 seconds"):
        client.revoke_token("token-1")
    token_server.gate.set()


def test_nothing_secret_is_logged(make_client, token_server, caplog):
    caplog.set_level("DEBUG")

    make_client().revoke_token(OPAQUE)

    assert "eyJ" not in caplog.text
    assert OPAQUE not in caplog.text
