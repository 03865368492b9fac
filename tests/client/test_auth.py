"""client/auth.py: one session, one token, a proof with every send, and what a second send may mend."""

import io
import itertools
import threading

import pytest
import requests
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import TokenRequestError
from flask_private_key_jwt.keys import jose


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
    assert repr(auth).startswith("<PrivateKeyJWTAuth 'billing' for http://127.0.0.1:")


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


@pytest.mark.parametrize("dpop", [True, False])
def test_a_refused_token_is_renewed_once_and_the_call_repeated(dpop, call_api, api):
    scheme = "DPoP" if dpop else "Bearer"
    api.script = [api.refuse(scheme=scheme)]

    answer = call_api(method="POST", data={"a": "b"}, options={"dpop": dpop})

    assert answer.text == "ok"
    assert api.tokens == [f"{scheme} token-1", f"{scheme} token-2"]
    assert [call.body for call in api.calls] == [b"a=b", b"a=b"]
    assert [answer.status_code for answer in answer.history] == [401]


def test_a_refused_token_is_renewed_with_a_proof_for_the_new_one(call_api, api):
    api.script = [api.refuse()]

    call_api()

    assert all(call.fits_proof() for call in api.calls)
    assert api.proofs[0]["jti"] != api.proofs[1]["jti"]


def test_a_second_refusal_is_returned_as_it_is(call_api, api):
    api.script = [api.refuse(), api.refuse()]

    answer = call_api()

    assert answer.status_code == 401
    assert len(api.calls) == 2


def test_a_token_that_was_refused_twice_is_not_used_again(call_api, api):
    api.script = [api.refuse(), api.refuse()]
    call_api()

    call_api()

    assert api.tokens == ["DPoP token-1", "DPoP token-2", "DPoP token-3"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "DPoP",
        'DPoP algs="ES256"',
        'DPoP error="invalid_dpop_proof"',
        'DPoP error="insufficient_scope"',
        'Bearer error="invalid_token"',
        'DPoP error_description="error=\\"invalid_token\\""',
        'Basic realm="x", error="invalid_token"',
        "\x80",
    ],
)
def test_a_401_for_another_reason_is_returned_as_it_is(header, call_api, api, token_server):
    api.script = [Response(status=401, headers={"WWW-Authenticate": header} if header is not None else {})]

    assert call_api().status_code == 401
    assert len(api.calls) == 1
    assert token_server.issued == 1


@pytest.mark.parametrize("status", [400, 403, 500])
def test_only_a_401_renews_the_token(status, call_api, api, token_server):
    api.script = [Response(status=status, headers={"WWW-Authenticate": 'DPoP error="invalid_token"'})]

    assert call_api().status_code == status
    assert token_server.issued == 1


def test_a_renewal_that_is_refused_is_an_error(call_api, api, token_server):
    api.script = [api.refuse()]
    token_server.script = [None, token_server.refuse("invalid_client")]

    with pytest.raises(TokenRequestError, match="invalid_client"):
        call_api()
    assert len(api.calls) == 1


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


# --- nonces ---------------------------------------------------------------------------------------------
def test_the_nonce_an_api_asks_for_is_sent_with_the_same_token(call_api, api):
    api.nonce = "first"

    answer = call_api(method="PUT", json={"a": 1})

    assert answer.text == "ok"
    assert [proof.get("nonce") for proof in api.proofs] == [None, "first"]
    assert api.tokens == ["DPoP token-1", "DPoP token-1"]
    assert [call.body for call in api.calls] == [b'{"a": 1}'] * 2
    assert all(call.fits_proof() for call in api.calls)
    assert api.proofs[0]["jti"] != api.proofs[1]["jti"]


def test_the_nonce_is_remembered_for_the_next_call(call_api, api):
    api.nonce = "first"
    call_api()

    call_api()

    assert [proof.get("nonce") for proof in api.proofs] == [None, "first", "first"]


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_nonce_that_comes_with_any_answer_is_used_next(status, call_api, api):
    api.script = [Response(status=status, headers={"DPoP-Nonce": "newer"})]
    call_api()

    call_api()

    assert api.proofs[1]["nonce"] == "newer"


def test_a_second_request_for_a_nonce_is_returned_as_it_is(call_api, api):
    api.script = [api.ask_for_nonce("first"), api.ask_for_nonce("second")]

    answer = call_api()

    assert answer.status_code == 401
    assert len(api.calls) == 2
    assert api.calls[1].proof.claims["nonce"] == "first"


def test_the_newest_nonce_is_used_after_that(call_api, api):
    api.script = [api.ask_for_nonce("first"), api.ask_for_nonce("second")]
    call_api()

    call_api()

    assert api.proofs[2]["nonce"] == "second"


def test_a_nonce_and_a_renewal_may_both_be_needed_each_once(call_api, api):
    api.script = [api.ask_for_nonce("first"), api.refuse(), api.ask_for_nonce("second"), None]

    answer = call_api()

    assert answer.status_code == 401
    assert api.tokens == ["DPoP token-1", "DPoP token-1", "DPoP token-2"]
    assert [answer.status_code for answer in answer.history] == [401, 401]


@pytest.mark.parametrize(
    "nonce",
    [None, "", " ", 'with"quote', "back\\slash", "two, headers", "n" * 4097],
    ids=lambda nonce: repr(nonce)[:20],
)
def test_a_request_for_a_nonce_without_a_usable_one_is_returned_as_it_is(nonce, call_api, api):
    answer = api.ask_for_nonce("x")
    del answer.headers["DPoP-Nonce"]
    if nonce is not None:
        answer.headers["DPoP-Nonce"] = nonce
    api.script = [answer]

    assert call_api().status_code == 401
    assert len(api.calls) == 1


def test_a_bearer_client_is_not_led_on_by_a_request_for_a_nonce(call_api, api):
    api.script = [api.ask_for_nonce("first")]

    assert call_api(options={"dpop": False}).status_code == 401
    assert len(api.calls) == 1


def test_the_nonces_of_the_token_server_and_the_api_are_kept_apart(call_api, api, token_server):
    token_server.nonce, api.nonce = "for-tokens", "for-calls"
    call_api()
    api.script = [api.refuse()]
    call_api()

    assert [proof.get("nonce") for proof in token_server.proofs] == [None, "for-tokens", "for-tokens"]
    assert [proof.get("nonce") for proof in api.proofs] == [None, "for-calls", "for-calls", "for-calls"]


# --- bodies ---------------------------------------------------------------------------------------------
def bodies_once():
    yield b"one"
    yield b"two"


@pytest.mark.parametrize("refusal", ["nonce", "token"])
def test_a_body_that_cannot_be_rewound_is_not_sent_again(refusal, call_api, api):
    api.script = [api.ask_for_nonce("first") if refusal == "nonce" else api.refuse()]

    answer = call_api(method="POST", data=bodies_once())

    assert answer.status_code == 401
    assert [call.body for call in api.calls] == [b"onetwo"]


def test_what_the_refusal_taught_is_used_for_the_next_such_body(call_api, api):
    api.script = [api.ask_for_nonce("first")]
    call_api(method="POST", data=bodies_once())

    assert call_api(method="POST", data=bodies_once()).text == "ok"
    assert api.proofs[1]["nonce"] == "first"


def test_a_refused_token_is_renewed_for_the_next_such_body(call_api, api):
    api.script = [api.refuse()]
    call_api(method="POST", data=bodies_once())

    assert call_api(method="POST", data=bodies_once()).text == "ok"
    assert api.tokens == ["DPoP token-1", "DPoP token-2"]


def test_a_file_is_sent_again_from_where_it_stood(call_api, api):
    api.script = [api.refuse()]
    file = io.BytesIO(b"header|content")
    file.seek(7)

    assert call_api(method="POST", data=file).text == "ok"
    assert [call.body for call in api.calls] == [b"content", b"content"]


def test_a_pipe_is_not_sent_again(call_api, api):
    api.script = [api.refuse()]

    class Pipe(io.BytesIO):
        def tell(self):
            raise OSError("not seekable")

    assert call_api(method="POST", data=Pipe(b"content")).status_code == 401
    assert len(api.calls) == 1


# --- threads --------------------------------------------------------------------------------------------
def test_twenty_threads_get_one_token(make_auth, session, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()
    answers = []

    def call():
        with requests.Session() as own:
            own.trust_env = False
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


def test_threads_whose_token_was_refused_share_the_next_one(make_auth, api, token_server):
    auth = make_auth()
    auth.token()
    api.usual_answer = lambda call: api.refuse() if call.headers["Authorization"].endswith("-1") else Response("ok")
    answers = []

    def call():
        with requests.Session() as own:
            own.trust_env = False
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
