"""client/auth.py and client/in_httpx/auth.py: what a second send can mend, and that there is no third."""

import io
import json

import httpx
import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import TokenRequestError, UnrepeatableBody
from tests.client.libraries import LIBRARIES


@pytest.fixture(params=LIBRARIES)
def library(request):
    return request.param


# --- a refused token ------------------------------------------------------------------------------------
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


# --- nonces ---------------------------------------------------------------------------------------------
def test_the_nonce_an_api_asks_for_is_sent_with_the_same_token(call_api, api):
    api.nonce = "first"

    answer = call_api(method="PUT", json={"a": 1})

    assert answer.text == "ok"
    assert [proof.get("nonce") for proof in api.proofs] == [None, "first"]
    assert api.tokens == ["DPoP token-1", "DPoP token-1"]
    assert [json.loads(call.body) for call in api.calls] == [{"a": 1}] * 2
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


@pytest.fixture
def post_once(call_api, library):
    """Post a body that can be sent once only, and is refused: ``requests`` returns the 401, httpx gets an exception."""

    def post_once(body):
        if library == "requests":
            assert call_api(method="POST", data=body).status_code == 401
            return
        with pytest.raises(UnrepeatableBody, match=r"can be sent once only: it was not sent again") as caught:
            call_api(method="POST", data=body)
        assert isinstance(caught.value, httpx.RequestError)
        assert caught.value.request.url.path == "/values"

    return post_once


@pytest.mark.parametrize("refusal", ["nonce", "token"])
def test_a_body_that_cannot_be_rewound_is_not_sent_again(refusal, post_once, api):
    api.script = [api.ask_for_nonce("first") if refusal == "nonce" else api.refuse()]

    post_once(bodies_once())

    assert [call.body for call in api.calls] == [b"onetwo"]


def test_what_the_refusal_taught_is_used_for_the_next_such_body(post_once, call_api, api):
    api.script = [api.ask_for_nonce("first")]
    post_once(bodies_once())

    assert call_api(method="POST", data=bodies_once()).text == "ok"
    assert api.proofs[1]["nonce"] == "first"


def test_a_refused_token_is_renewed_for_the_next_such_body(post_once, call_api, api):
    api.script = [api.refuse()]
    post_once(bodies_once())

    assert call_api(method="POST", data=bodies_once()).text == "ok"
    assert api.tokens == ["DPoP token-1", "DPoP token-2"]


@pytest.mark.parametrize("library", ["requests", "httpx"])  # an AsyncClient takes no such file
def test_a_file_is_sent_again(call_api, api):
    api.script = [api.refuse()]

    assert call_api(method="POST", data=io.BytesIO(b"content")).text == "ok"
    assert [call.body for call in api.calls] == [b"content", b"content"]


@pytest.mark.parametrize("library", ["requests"])  # httpx itself sends a wrong length for it
def test_a_file_is_sent_again_from_where_it_stood(call_api, api):
    api.script = [api.refuse()]
    file = io.BytesIO(b"header|content")
    file.seek(7)

    assert call_api(method="POST", data=file).text == "ok"
    assert [call.body for call in api.calls] == [b"content", b"content"]


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_a_pipe_is_not_sent_again(post_once, api):
    api.script = [api.refuse()]

    class Pipe(io.BytesIO):
        def tell(self):
            raise OSError("not seekable")

    post_once(Pipe(b"content"))
    assert len(api.calls) == 1
