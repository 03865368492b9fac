"""client/auth.py, client/in_httpx/, client/origin.py: a token goes to one origin, by whatever road another is tried."""

import io
from urllib.parse import urlsplit

import httpx
import pytest
import requests
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import ForeignOrigin, UnrepeatableBody
from flask_private_key_jwt.client.origin import find_origin, load_origin
from flask_private_key_jwt.errors import ConfigurationError
from tests.client.libraries import LIBRARIES


@pytest.fixture(params=LIBRARIES)
def library(request):
    return request.param


API = "https://api.example"


def redirect(location, status=307):
    return Response(status=status, headers={"Location": location})


# --- what an origin is ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "https://api.example",
        "https://api.example/",
        "https://api.example:443/values?x#y",
        "HTTPS://API.EXAMPLE/values",
        "https://api.example:/values",
        "https://api.example/https://evil.example",
        "https://api.example?@evil.example",
        "https://api.example/@evil.example",
    ],
)
def test_a_url_of_the_origin_has_it(url):
    assert find_origin(url) == "https://api.example"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "https://api.example:444",
        "https://api.example.",
        "https://api.example.evil.example",
        "https://evil.example/api.example",
        "https://sub.api.example",
        "https://evil.example?https://api.example",
    ],
)
def test_a_url_of_another_origin_has_another(url):
    assert find_origin(url) not in (None, "https://api.example")


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "/values",
        "//api.example/values",
        "https:/api.example",
        "https:///values",
        "ftp://api.example",
        "https://api.example@evil.example/",
        "https://user@api.example/",
        "https://api.example:443@evil.example/",
        "https://evil.example\\@api.example/",
        "https://api.example\\@evil.example/",
        "https://api.example\\.evil.example/",
        "https://api.example%2eevil.example/",
        "https://api.example%00.evil.example/",
        "https://api.example\t.evil.example/",
        "https://api.example\n/",
        " https://api.example",
        "https://api.example /",
        "https://api。example/",
        "https://api.example:99999/",
        "https://api.example:x/",
        "https://[::1/",
        "https://[::1]x/",
        "https://api..example/",
        "https://api.example/100%",
    ],
)
def test_a_url_that_parsers_read_differently_has_none(url):
    assert find_origin(url) is None


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://api.example:443/x", "https://api.example"),
        ("http://127.0.0.1:5005", "http://127.0.0.1:5005"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_an_origin_is_shown_as_it_is_written(url, text):
    assert str(load_origin(url)) == text


@pytest.mark.parametrize("url", ["http://api.example", "http://10.0.0.1", "http://127.0.0.1.evil.example"])
def test_tokens_are_never_bound_to_plain_http_off_this_machine(url):
    with pytest.raises(ConfigurationError, match="must use https"):
        load_origin(url)


@pytest.mark.parametrize("options", [{"resource": None}, {"resource": ""}, {"resource": "urn:api"}, {"origin": "x"}])
def test_an_auth_object_without_an_origin_is_refused(options, make_auth):
    with pytest.raises(ConfigurationError, match="has no origin to bind tokens to"):
        make_auth(**options)


# --- requests -------------------------------------------------------------------------------------------
def refuse_to_send(url, session, auth, api, other_api, token_server):
    with pytest.raises(ForeignOrigin, match="Nothing was sent there"):
        session.get(url, auth=auth)
    assert api.calls == []
    assert other_api.calls == []
    assert token_server.calls == []


def test_a_request_to_another_port_is_not_sent(session, make_auth, api, other_api, token_server):
    refuse_to_send(other_api.url, session, make_auth(), api, other_api, token_server)


def test_a_request_to_another_name_of_the_same_host_is_not_sent(session, make_auth, api, other_api, token_server):
    url = api.url.replace("127.0.0.1", "localhost")
    refuse_to_send(url, session, make_auth(), api, other_api, token_server)


def test_a_request_by_another_scheme_is_not_sent(session, make_auth, api, other_api, token_server):
    url = api.url.replace("http:", "https:")
    refuse_to_send(url, session, make_auth(), api, other_api, token_server)


@pytest.mark.parametrize(
    "trick",
    [
        "{api}@{other}/",
        "{api}:x@{other}/",
        "http://user:password@{api_host}/",
        "{api}\\@{other_host}/../..",
        "http://{other_host}\\@{api_host}/",
        "http://{other_host}#@{api_host}/",
        "http://{other_host}?@{api_host}/",
    ],
)
def test_a_url_that_looks_like_the_apis_reaches_no_other_server(
    trick, session, make_auth, api, other_api, token_server
):
    names = {"api": api.url, "other": urlsplit(other_api.url).netloc}
    url = trick.format(api_host=urlsplit(api.url).netloc, other_host=names["other"], **names)

    try:
        session.get(url, auth=make_auth())
    except (ForeignOrigin, requests.exceptions.InvalidURL, httpx.InvalidURL):
        assert api.calls == []
    assert other_api.calls == []


def test_the_origin_in_other_letters_is_the_origin(session, make_auth, api):
    url = api.url.replace("http://", "HTTP://") + "/values"

    assert session.get(url, auth=make_auth()).text == "ok"


def test_after_a_refused_request_the_right_one_still_works(session, make_auth, api, other_api):
    session.auth = make_auth()
    with pytest.raises(ForeignOrigin):
        session.get(other_api.url)

    assert session.get(api.url).text == "ok"


def test_foreign_origin_is_caught_as_any_failed_call_of_the_library(session, make_auth, other_api, call_error):
    with pytest.raises(call_error) as caught:
        session.get(other_api.url, auth=make_auth())
    assert isinstance(caught.value, ForeignOrigin)


# --- redirects ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("dpop", [True, False])
def test_a_redirect_to_another_origin_is_not_followed(status, dpop, call_api, api, other_api):
    api.script = [redirect(other_api.url + "/values", status)]

    with pytest.raises(ForeignOrigin, match=rf"The redirect( \({status}\))? goes to {other_api.url}"):
        call_api(options={"dpop": dpop})
    assert other_api.calls == []


@pytest.mark.parametrize(
    "location", ["//{other}/", "http://{api}@{other}/", "http://{api}\\@{other}/", "https://{api}/", "HTTP://{other}/"]
)
def test_no_spelling_of_a_redirect_leads_away(location, call_api, api, other_api):
    names = {"api": urlsplit(api.url).netloc, "other": urlsplit(other_api.url).netloc}
    api.script = [redirect(location.format(**names))]

    with pytest.raises(ForeignOrigin):
        call_api()
    assert other_api.calls == []


def test_a_redirect_away_after_one_within_is_not_followed(call_api, api, other_api):
    api.script = [redirect("/inside"), redirect(other_api.url)]

    with pytest.raises(ForeignOrigin):
        call_api()
    assert other_api.calls == []


def test_a_redirect_away_after_a_retry_is_not_followed(call_api, api, other_api):
    api.script = [api.ask_for_nonce("first"), redirect(other_api.url)]

    with pytest.raises(ForeignOrigin):
        call_api()
    assert other_api.calls == []


@pytest.mark.parametrize("library", ["requests"])
def test_a_redirect_away_raises_even_where_redirects_are_not_followed(call_api, api, other_api):
    api.script = [redirect(other_api.url)]

    with pytest.raises(ForeignOrigin):
        call_api(allow_redirects=False)


def test_a_redirect_within_gets_a_proof_for_the_new_url(call_api, api):
    api.script = [redirect("/elsewhere?page=2")]

    answer = call_api(method="POST", data={"a": "b"})

    assert answer.text == "ok"
    assert [(call.method, call.url) for call in api.calls] == [
        ("POST", api.url + "/values"),
        ("POST", api.url + "/elsewhere"),
    ]
    assert all(call.fits_proof() for call in api.calls)
    assert api.proofs[0]["jti"] != api.proofs[1]["jti"]
    assert api.tokens == ["DPoP token-1"] * 2
    assert api.calls[1].body == b"a=b"


def test_a_redirect_that_changes_the_method_gets_a_proof_for_the_new_one(call_api, api):
    api.script = [redirect("/elsewhere", 303)]

    call_api(method="POST", data={"a": "b"})

    assert api.calls[1].method == "GET"
    assert api.calls[1].fits_proof()


def test_a_password_in_netrc_never_takes_the_place_of_the_token(call_api, api, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.script = [redirect("/final", 302)]

    assert call_api().status_code == 200
    assert api.tokens == ["DPoP token-1"] * 2


def test_every_redirect_of_several_gets_its_proof(call_api, api):
    api.script = [redirect("/a"), redirect(api.url + "/b", 302), redirect("c", 301)]

    answer = call_api()

    assert [call.url.removeprefix(api.url) for call in api.calls] == ["/values", "/a", "/b", "/c"]
    assert all(call.fits_proof() for call in api.calls)
    assert [past.status_code for past in answer.history] == [307, 302, 301]


def test_a_redirect_uses_the_nonce_that_came_with_it(call_api, api):
    answer = redirect("/a")
    answer.headers["DPoP-Nonce"] = "newest"
    api.script = [answer]

    call_api()

    assert api.proofs[1]["nonce"] == "newest"


def test_a_nonce_may_be_asked_for_before_and_after_a_redirect(call_api, api):
    api.script = [api.ask_for_nonce("first"), redirect("/a"), api.ask_for_nonce("second")]

    answer = call_api()

    assert answer.text == "ok"
    assert [proof.get("nonce") for proof in api.proofs] == [None, "first", "first", "second"]
    assert all(call.fits_proof() for call in api.calls)


def test_a_redirect_that_is_not_followed_is_returned(call_api, api):
    api.script = [redirect("/elsewhere")]

    answer = call_api(allow_redirects=False)

    assert answer.status_code == 307
    assert len(api.calls) == 1


@pytest.mark.parametrize("library", ["requests"])
def test_the_next_request_of_a_redirect_can_be_sent_by_hand(call_api, api, session):
    api.script = [redirect("/elsewhere")]

    answer = session.send(call_api(allow_redirects=False).next)

    assert answer.text == "ok"
    assert api.calls[1].fits_proof()


def test_redirects_without_end_are_the_error_the_library_has_for_them(call_api, api, session):
    session.max_redirects = 3
    api.usual_answer = lambda call: redirect("/again")

    with pytest.raises((requests.TooManyRedirects, httpx.TooManyRedirects)):
        call_api()
    assert len(api.calls) == 4


def test_a_body_that_cannot_be_rewound_is_not_sent_on_empty(call_api, api):
    api.script = [redirect("/elsewhere")]

    with pytest.raises((requests.exceptions.UnrewindableBodyError, UnrepeatableBody)):
        call_api(method="POST", data=iter([b"one", b"two"]))
    assert len(api.calls) == 1


@pytest.mark.parametrize("library", ["requests", "httpx"])  # an AsyncClient takes no such file
def test_a_file_is_sent_on_whole(call_api, api):
    api.script = [redirect("/elsewhere")]

    call_api(method="POST", data=io.BytesIO(b"content"))

    assert [call.body for call in api.calls] == [b"content", b"content"]


def test_a_body_that_cannot_be_rewound_does_not_matter_where_it_is_dropped(call_api, api):
    api.script = [redirect("/elsewhere", 303)]

    assert call_api(method="POST", data=iter([b"one"])).text == "ok"


def test_a_redirect_without_a_location_is_an_answer(call_api, api):
    api.script = [Response(status=302)]

    assert call_api().status_code == 302
