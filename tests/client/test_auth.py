"""client/auth.py and client/in_httpx/auth.py: one session, one token, and a proof with every send."""

import itertools
import threading

import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import TokenRequestError
from flask_private_key_jwt.jose import jose
from tests.client.libraries import LIBRARIES, open_session


@pytest.fixture(params=LIBRARIES)
def library(request):
    return request.param


# --- the usual way --------------------------------------------------------------------------------------
def test_the_first_call_gets_a_token_and_sends_it_with_a_proof(call_api, token_server, api):
    answer = call_api("/values?page=2")

    assert answer.text == "ok"
    [call] = api.calls
    assert call.headers["Authorization"] == "DPoP token-1"
    assert call.fits_proof()
    assert call.proof.claims["htu"] == api.url + "/values"
    assert call.proof.typ == "dpop+jwt"


def test_nothing_is_fetched_before_the_first_call(make_auth, token_server):
    make_auth()

    assert token_server.discoveries == 0
    assert token_server.calls == []


def test_one_token_serves_many_calls(call_api, token_server, api):
    for _ in range(3):
        call_api()

    assert token_server.issued == 1
    assert token_server.discoveries == 1
    assert api.tokens == ["DPoP token-1"] * 3


def test_every_send_has_a_proof_of_its_own(call_api, api):
    for _ in range(3):
        call_api()

    assert len({proof["jti"] for proof in api.proofs}) == 3


def test_the_token_and_the_calls_are_bound_to_one_key_that_is_not_the_clients(call_api, token_server, api, key):
    call_api()

    bound = token_server.calls[0].proof_key.thumbprint
    assert api.calls[0].proof_key.thumbprint == bound
    assert bound != key.public.thumbprint


def test_every_auth_object_has_a_dpop_key_of_its_own(make_auth, session, api):
    for auth in (make_auth(), make_auth()):
        session.get(api.url, auth=auth)

    assert len({call.proof_key.thumbprint for call in api.calls}) == 2


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256", "EdDSA"])
def test_a_dpop_key_may_be_given(alg, call_api, keys, token_server, api):
    dpop_key = keys(alg, "dpop")

    call_api(options={"dpop_key": dpop_key})

    assert token_server.calls[0].proof_key.thumbprint == dpop_key.public.thumbprint
    assert api.calls[0].proof_key.thumbprint == dpop_key.public.thumbprint
    assert api.calls[0].proof.alg == alg


def test_without_dpop_the_token_goes_as_bearer_without_a_proof(call_api, token_server, api):
    call_api(options={"dpop": False})

    assert api.tokens == ["Bearer token-1"]
    assert token_server.calls[0].proof is None
    assert api.calls[0].proof is None


def test_scope_and_resource_are_asked_for(call_api, token_server, api):
    call_api(options={"scope": "read write"})

    assert token_server.calls[0].form["scope"] == "read write"
    assert token_server.calls[0].form["resource"] == api.url


def test_an_origin_without_a_resource_asks_for_none(call_api, token_server, api):
    call_api(options={"resource": None, "origin": api.url})

    assert "resource" not in token_server.calls[0].form
    assert api.tokens == ["DPoP token-1"]


def test_a_resource_that_is_no_url_is_asked_for_and_the_origin_bound_to(call_api, token_server, api):
    call_api(options={"resource": "urn:example:api", "origin": api.url})

    assert token_server.calls[0].form["resource"] == "urn:example:api"
    assert api.tokens == ["DPoP token-1"]


def test_a_header_that_was_set_by_hand_does_not_replace_the_token(call_api, api):
    call_api(headers={"Authorization": "Bearer mine", "DPoP": "mine"})

    assert api.tokens == ["DPoP token-1"]
    assert api.calls[0].fits_proof()


def test_netrc_does_not_replace_the_token(call_api, session, api, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session.trust_env = True

    call_api()

    assert api.tokens == ["DPoP token-1"]


def test_neither_the_auth_object_nor_its_token_shows_secrets(make_auth):
    auth = make_auth()

    assert "token-1" not in repr(auth.token())
    assert "token-1" not in repr(vars(auth))
    assert repr(auth).startswith(
        ("<PrivateKeyJWTAuth 'billing' for http://1", "<HTTPXPrivateKeyJWTAuth 'billing' for http://1")
    )


# --- renewal --------------------------------------------------------------------------------------------
def test_the_token_is_kept_until_thirty_seconds_before_its_end(call_api, clock, token_server):
    call_api()
    clock.move(600 - 31)
    call_api()

    assert token_server.issued == 1


def test_the_token_is_renewed_thirty_seconds_before_its_end(call_api, clock, api):
    call_api()
    clock.move(600 - 30)
    call_api()

    assert api.tokens == ["DPoP token-1", "DPoP token-2"]


def test_a_token_shorter_than_the_margin_is_used_for_half_its_life(call_api, clock, api, token_server):
    token_server.members = {"expires_in": 20}
    for seconds in (0, 9, 1):
        clock.move(seconds)
        call_api()

    assert api.tokens == ["DPoP token-1", "DPoP token-1", "DPoP token-2"]


# --- never less than asked for --------------------------------------------------------------------------
def test_without_a_token_nothing_is_sent(call_api, api, token_server):
    token_server.script = [token_server.refuse("invalid_client")]

    with pytest.raises(TokenRequestError):
        call_api()
    assert api.calls == []


def test_a_bearer_token_is_not_used_where_a_bound_one_was_asked_for(call_api, api, token_server):
    token_server.members = {"token_type": "Bearer"}

    with pytest.raises(TokenRequestError, match="of type 'Bearer', not DPoP"):
        call_api()
    assert api.calls == []


def test_a_bound_token_is_not_used_where_a_bearer_token_was_asked_for(call_api, api, token_server):
    token_server.members = {"token_type": "DPoP"}

    with pytest.raises(TokenRequestError, match="of type 'DPoP', not Bearer: pass dpop=True"):
        call_api(options={"dpop": False})
    assert api.calls == []


def test_a_bearer_challenge_does_not_make_it_a_bearer_client(call_api, api):
    api.script = [api.refuse(scheme="Bearer")]

    call_api()
    call_api()

    assert api.tokens == ["DPoP token-1", "DPoP token-1"]


# --- threads --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("library", ["requests", "httpx"])  # each event loop renews by itself
def test_twenty_threads_get_one_token(make_auth, library, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()
    answers = []

    def call():
        with open_session(library) as own:
            answers.append(own.get(api.url, auth=auth).status_code)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    token_server.gate.set()
    for thread in threads:
        thread.join()

    assert answers == [200] * 20
    assert token_server.issued == 1
    assert len({proof["jti"] for proof in api.proofs}) == 20


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_threads_whose_token_was_refused_share_the_next_one(make_auth, library, api, token_server):
    auth = make_auth()
    auth.token()
    api.usual_answer = lambda call: api.refuse() if call.headers["Authorization"].endswith("-1") else Response("ok")
    answers = []

    def call():
        with open_session(library) as own:
            answers.append(own.get(api.url, auth=auth).text)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["ok"] * 8
    assert token_server.issued == 2


# --- construction ---------------------------------------------------------------------------------------
def test_the_token_can_be_had_alone(make_auth, clock, token_server):
    token_server.members = {"scope": "read", "extra": 5}

    token = make_auth().token()

    assert (token.access_token, token.token_type, token.scope) == ("token-1", "DPoP", "read")
    assert (token.obtained_at, token.expires_at) == (clock.now, clock.now + 600)
    assert token.raw["extra"] == 5


def test_keys_of_every_kind_make_an_auth_object_that_works(call_api, session, keys, token_server):
    for alg, dpop_alg in itertools.product(("ES256", "RS256", "EdDSA"), ("ES256", "PS256")):
        session.auth = None
        call_api(options={"key": keys(alg), "dpop_key": keys(dpop_alg).as_jwk()})
        call = token_server.calls[-1]
        assert jose.verify(call.assertion, keys(alg).public)
        assert call.assertion.alg == alg
        assert call.proof.alg == dpop_alg
