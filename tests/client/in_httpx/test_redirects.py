"""client/in_httpx/auth.py: httpx follows a redirect by itself, and takes neither the token nor a proof along."""

import httpx
import pytest

from flask_private_key_jwt.client import ForeignOrigin
from flask_private_key_jwt.client.in_httpx.headers import SealedHeaders
from tests.client.conftest import redirect


def credentials(calls):
    return [(call.headers.get("Authorization"), call.headers.get("Dpop") is not None) for call in calls]


# --- away -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("dpop", [True, False])
def test_a_redirect_away_takes_neither_token_nor_proof(status, dpop, send, make_auth, api, other_api):
    api.script = [redirect(other_api.url + "/values", status)]

    with pytest.raises(ForeignOrigin, match=r"The redirect goes to .* Neither the token nor a proof was sent there"):
        send(auth=make_auth(dpop=dpop))
    assert credentials(other_api.calls) == [(None, False)]


def test_headers_that_were_set_by_hand_do_not_go_there_either(send, api, other_api):
    api.script = [redirect(other_api.url)]

    with pytest.raises(ForeignOrigin):
        send(headers={"Authorization": "Bearer mine", "DPoP": "mine"})
    assert credentials(other_api.calls) == [(None, False)]


def test_a_nonce_from_elsewhere_is_not_kept(send, api, other_api):
    api.script = [redirect(other_api.url)]
    other_api.script = [other_api.ask_for_nonce("foreign")]
    with pytest.raises(ForeignOrigin):
        send()

    send()

    assert [proof.get("nonce") for proof in api.proofs] == [None, None]


def test_a_redirect_that_comes_back_is_not_trusted(send, api, other_api):
    api.script = [redirect(other_api.url), api.refuse()]
    other_api.script = [redirect(api.url + "/chosen-by-another")]

    with pytest.raises(ForeignOrigin):
        send()
    assert credentials(api.calls)[1:] == [(None, False)]


def test_a_redirect_that_is_not_followed_is_returned_without_credentials(send, api, other_api):
    api.script = [redirect(other_api.url)]

    answer = send(client={"follow_redirects": False})

    assert answer.status_code == 307
    assert "Authorization" not in answer.next_request.headers
    assert "DPoP" not in answer.next_request.headers
    assert other_api.calls == []


# --- within ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_redirect_within_is_sent_again_with_both(method, send, api):
    api.script = [redirect("/elsewhere?page=2")]

    answer = send(method=method)

    assert answer.status_code == 200
    assert credentials(api.calls) == [("DPoP token-1", True), (None, False), ("DPoP token-1", True)]
    assert api.calls[2].url == api.url + "/elsewhere"
    assert api.calls[2].fits_proof()


def test_a_post_within_is_sent_again_if_it_was_refused(send, api):
    api.script = [redirect("/elsewhere"), api.refuse()]

    answer = send(method="POST", data={"a": "b"})

    assert answer.status_code == 200
    assert credentials(api.calls) == [("DPoP token-1", True), (None, False), ("DPoP token-1", True)]
    assert api.calls[2].body == b"a=b"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_was_done_without_a_token_is_not_done_twice(method, send, api):
    api.script = [redirect("/elsewhere")]

    assert send(method=method).text == "ok"
    assert credentials(api.calls) == [("DPoP token-1", True), (None, False)]


def test_the_nonce_that_came_with_a_redirect_is_used(send, api):
    answer = redirect("/elsewhere")
    answer.headers["DPoP-Nonce"] = "newest"
    api.script = [answer]

    send()

    assert api.calls[2].proof.claims["nonce"] == "newest"


def test_redirects_without_end_end(send, api):
    api.usual_answer = lambda call: redirect("/again")

    with pytest.raises(httpx.TooManyRedirects):
        send(client={"max_redirects": 3})
    assert len(api.calls) == 4


def test_redirects_between_refusals_end_too(send, api):
    """Each answer makes sense by itself: a redirect with the token, a request for a nonce without it."""
    api.usual_answer = lambda call: (
        redirect("/again") if "Authorization" in call.headers else api.ask_for_nonce(f"n{len(api.calls)}")
    )

    with pytest.raises(httpx.TooManyRedirects):
        send(client={"max_redirects": 5})
    assert len(api.calls) < 30


# --- the headers ----------------------------------------------------------------------------------------
@pytest.fixture
def headers():
    plain = httpx.Headers({"Accept": "*/*", "authorization": "mine"})
    return SealedHeaders(plain, {"Authorization": "DPoP x", "DPoP": "proof"})


def test_who_reads_the_headers_finds_all(headers):
    whole = {"accept": "*/*", "authorization": "DPoP x", "dpop": "proof"}

    assert dict(headers) == dict(headers.items()) == dict(headers.multi_items()) == whole
    assert dict(zip(headers.keys(), headers.values(), strict=True)) == whole
    assert headers["AUTHORIZATION"] == headers.get("authorization") == "DPoP x"
    assert headers.get_list("DPoP") == ["proof"]
    assert "DPoP" in headers
    assert len(headers) == 3
    assert headers == whole
    assert sorted(headers.raw) == [(b"Accept", b"*/*"), (b"Authorization", b"DPoP x"), (b"DPoP", b"proof")]


@pytest.mark.parametrize(
    "duplicate", [httpx.Headers, lambda headers: headers.copy(), lambda headers: SealedHeaders(headers, {})]
)
def test_a_copy_has_neither_token_nor_proof(duplicate, headers):
    assert dict(duplicate(headers)) == {"accept": "*/*"}


def test_the_token_is_not_replaced_by_hand(headers):
    headers["Authorization"] = "Bearer mine"

    assert headers["Authorization"] == "DPoP x"


def test_a_header_may_be_taken_away(headers):
    assert headers.pop("DPoP") == "proof"
    assert headers.pop("DPoP", None) is None
    assert headers.pop("Accept") == "*/*"
    assert dict(headers) == {"authorization": "DPoP x"}


def test_a_look_at_the_headers_shows_no_secret(headers):
    assert repr(headers) == "Headers({'accept': '*/*'})"
