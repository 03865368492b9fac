"""The ``Error-Reference`` of a refusal reaches whoever runs the client, so that they can tell the server's operator."""

import json

import pytest
import requests
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import DiscoveryError, TokenClient
from flask_private_key_jwt.signals import request_refused
from tests.client.conftest import serving
from tests.conftest import close, make_app

REFERENCE = "9f1c2d3e4a5b6c7d"


def request_token(client):
    client.request_token()


def revoke(client):
    client.revoke_token("token-1")


def introspect(client):
    client.introspect("token-1")


USES = [("make_client", request_token), ("make_client", revoke), ("make_introspector", introspect)]


@pytest.fixture
def failure(request, token_server):
    """What is raised when a use meets an answer."""

    def failure(maker, use, answer):
        token_server.script = [answer]
        with pytest.raises(requests.RequestException) as caught:
            use(request.getfixturevalue(maker)())
        return caught.value

    return failure


def refusal(reference, *, body=b'{"error": "invalid_client"}', status=400):
    headers = {} if reference is None else {"Error-Reference": reference}
    return Response(body, status=status, content_type="application/json", headers=headers)


@pytest.mark.parametrize(("maker", "use"), USES)
@pytest.mark.parametrize("body", [b'{"error": "invalid_client"}', b"<html>"])
def test_every_refusal_carries_it(body, maker, use, failure):
    error = failure(maker, use, refusal(REFERENCE, body=body))

    assert error.reference == REFERENCE
    assert f" (reference {REFERENCE})" in str(error)
    assert str(error).endswith(f" Its operator sees why: flask oauth2 explain {REFERENCE}")


@pytest.mark.parametrize(("maker", "use"), USES)
@pytest.mark.parametrize("reference", [None, "", "two words", "eyJ" + "x" * 62, 'a"b'])
def test_without_a_usable_one_nothing_is_said_of_it(reference, maker, use, failure):
    error = failure(maker, use, refusal(reference))

    assert error.reference is None
    assert "reference" not in str(error)
    assert "explain" not in str(error)


@pytest.mark.parametrize(("maker", "use"), [USES[0], USES[2]])
@pytest.mark.parametrize("body", [b"[]", b"{}", json.dumps({"access_token": "x", "token_type": "mac"}).encode()])
def test_a_success_that_cannot_be_used_carries_it_too(body, maker, use, failure):
    assert failure(maker, use, refusal(REFERENCE, body=body, status=200)).reference == REFERENCE


def test_where_there_was_no_answer_there_is_none(make_client, token_server):
    client = make_client()
    token_server.metadata_members = {"token_endpoint": "http://127.0.0.1:9/token"}

    with pytest.raises(requests.RequestException, match="cannot be reached") as caught:
        client.request_token()
    assert caught.value.reference is None


def test_discovery_carries_none_where_the_metadata_is_wrong(make_client, token_server):
    token_server.metadata_members = {"token_endpoint": None}

    with pytest.raises(DiscoveryError) as caught:
        make_client().request_token()
    assert caught.value.reference is None


class Later:
    """A WSGI app that is made when its URL is known."""

    url = ""
    app = None

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


def test_our_own_servers_reference_is_the_one_in_its_log(tmp_path, key, caplog):
    references = []

    def note(_sender, *, reference, **_):
        references.append(reference)

    with serving(Later()) as served, request_refused.connected_to(note):
        served.app, _, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", OAUTH2_ISSUER=served.url)
        with pytest.raises(requests.RequestException, match="refused with 400 invalid_client") as caught:
            TokenClient(served.url, "nobody", key=key).request_token()
        close(served.app, db)

    assert references == [caught.value.reference]
    assert f"reference {caught.value.reference}]" in caplog.text
