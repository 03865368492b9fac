"""discovery.py, fetching/exchange.py and fetching/async_exchange.py, against real HTTP servers on loopback."""

import contextlib
import gzip
import json
import socket
import threading
import time

import pytest
import requests
import urllib3
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from flask_private_key_jwt.fetching import exchange
from flask_private_key_jwt.fetching.discovery import (
    MAX_KEYS,
    DiscoveryError,
    ServerMetadata,
    fetch_jwks,
    metadata_locations,
)
from flask_private_key_jwt.jose import jose
from tests.fetching.ways import WAYS, fetch_metadata, fetching_with

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@pytest.fixture(params=WAYS)
def way_to_fetch(request):
    with fetching_with(request.param) as way:
        yield way


class Site:
    """A web server that answers what a test puts into ``answers``, and remembers what it was asked."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.url = ""

    def __call__(self, environ, start_response):
        request = Request(environ)
        self.requests.append(request)
        answer = self.answers.get(request.path, Response(status=404))
        if isinstance(answer, dict):
            answer = Response(json.dumps(answer), content_type="application/json")
        return answer(environ, start_response)

    @property
    def paths(self):
        return [request.path for request in self.requests]

    def metadata(self, **members):
        return {"issuer": self.url, "token_endpoint": self.url + "/token", "jwks_uri": self.url + "/jwks", **members}


@contextlib.contextmanager
def serving(site):
    server = make_server("127.0.0.1", 0, site, threaded=True)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site():
    with serving(Site()) as site:
        yield site


@contextlib.contextmanager
def raw_server(*pieces, pause=0.0):
    """A server that sends *pieces* of bytes to whoever connects, *pause* seconds apart, and never hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
                if stop.wait(pause):
                    break
            stop.wait(60)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


# --- where ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("issuer", "locations"),
    [
        ("https://as.example", ("https://as.example" + OAUTH, "https://as.example" + OPENID)),
        ("https://as.example/", ("https://as.example" + OAUTH, "https://as.example" + OPENID)),
        ("https://as.example:444/t1", (f"https://as.example:444{OAUTH}/t1", f"https://as.example:444/t1{OPENID}")),
        ("https://as.example/t1/", (f"https://as.example{OAUTH}/t1", f"https://as.example/t1{OPENID}")),
    ],
)
def test_the_locations_of_an_issuer_with_and_without_a_path(issuer, locations):
    assert metadata_locations(issuer) == locations


def test_metadata_is_read_at_the_rfc_8414_location(site):
    site.answers[OAUTH] = site.metadata()

    metadata = fetch_metadata(site.url)

    assert metadata == ServerMetadata(site.url, site.metadata())
    assert metadata.token_endpoint == site.url + "/token"
    assert metadata.jwks_uri == site.url + "/jwks"
    assert site.paths == [OAUTH]


def test_the_path_of_the_issuer_is_inserted(site):
    issuer = site.url + "/t1"
    site.answers[OAUTH + "/t1"] = site.metadata(issuer=issuer)

    assert fetch_metadata(issuer).issuer == issuer


NOT_HERE = {
    **{
        str(status): Response("no", status=status) for status in (204, 400, 401, 403, 404, 405, 406, 410, 500, 501, 503)
    },
    "a page": Response("<html>Sign in</html>", content_type="text/html"),
    "nothing": Response(b""),
    "a list": Response(b"[]"),
    "an error as 200": Response(b'{"error": "not_found"}'),
    "of another issuer": Response(b'{"issuer": "https://other.example"}'),
    "too large": Response(b" " * (exchange.MAX_BYTES + 1)),
}
"""The ways in which real servers say that their metadata is not at this location."""


@pytest.mark.parametrize("way", NOT_HERE)
@pytest.mark.parametrize("path", ["", "/t1"])
def test_the_openid_location_is_asked_whatever_way_the_first_says_no(path, way, site):
    issuer = site.url + path
    site.answers[OAUTH + path] = NOT_HERE[way]
    site.answers[path + OPENID] = site.metadata(issuer=issuer)

    assert fetch_metadata(issuer).issuer == issuer
    assert site.paths == [OAUTH + path, path + OPENID]


def test_the_openid_location_is_asked_after_a_redirect_that_is_not_followed(site):
    site.answers[OAUTH] = Response(status=302, headers={"Location": site.url + "/login"})
    site.answers[OPENID] = site.metadata()

    assert fetch_metadata(site.url).issuer == site.url
    assert site.paths == [OAUTH, OPENID]


@pytest.mark.parametrize("way", NOT_HERE)
def test_the_second_location_is_held_to_the_same_issuer(way, site):
    site.answers[OAUTH] = NOT_HERE[way]
    site.answers[OPENID] = site.metadata(issuer=site.url + "/")

    with pytest.raises(DiscoveryError, match=rf"{OPENID} speaks for issuer .* they must be equal"):
        fetch_metadata(site.url)


def test_what_each_location_answered_is_said(site):
    site.answers[OAUTH] = Response(status=302, headers={"Location": site.url + "/login"})

    with pytest.raises(DiscoveryError) as refused:
        fetch_metadata(site.url)

    assert str(refused.value) == (
        f"No metadata of {site.url}: {site.url}{OAUTH} answered with status 302, a redirect, which is not followed; "
        f"{site.url}{OPENID} answered with status 404. Is the issuer right?"
    )


@pytest.mark.usefixtures("way_to_fetch")
def test_a_place_where_nobody_answers_is_not_asked_twice():
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") as url, pytest.raises(DiscoveryError) as refused:
        fetch_metadata(url, timeout=0.2)

    assert str(refused.value) == f"{url}{OAUTH} did not answer within 0.2 seconds."


def test_a_body_that_stops_is_no_server_that_is_away(monkeypatch):
    def stop(*arguments):
        raise requests.ConnectionError(urllib3.exceptions.ReadTimeoutError(None, "", "Read timed out."))

    monkeypatch.setattr(exchange, "_send", stop)

    with pytest.raises(exchange.NoAnswer, match=r"^https://as.example/x did not answer within 5 seconds\.$"):
        exchange.exchange("GET", "https://as.example/x", timeout=5)


def test_the_reference_of_a_refusal_is_kept(site):
    site.answers[OAUTH] = Response(status=503, headers={"Error-Reference": "9f1c2d3e4a5b6c7d"})

    with pytest.raises(DiscoveryError, match=r"status 503 \(reference 9f1c2d3e4a5b6c7d\); ") as refused:
        fetch_metadata(site.url)
    assert refused.value.reference == "9f1c2d3e4a5b6c7d"
    assert str(refused.value).endswith(" Its operator sees why: flask oauth2 explain 9f1c2d3e4a5b6c7d")


@pytest.mark.parametrize("reference", ["", "a b", "x" * 65, 'a"b', "<b>"])
def test_what_is_no_reference_is_not_repeated(reference, site):
    site.answers[OAUTH] = Response(status=503, headers={"Error-Reference": reference})

    with pytest.raises(DiscoveryError, match="status 503; ") as refused:
        fetch_metadata(site.url)
    assert refused.value.reference is None


# --- who ------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("way_to_fetch")
@pytest.mark.parametrize("end", ["/", "x", "?"])
def test_metadata_of_another_issuer_is_refused(site, end):
    site.answers[OAUTH] = site.metadata(issuer=site.url + end)

    with pytest.raises(DiscoveryError, match="they must be equal, character by character"):
        fetch_metadata(site.url)


@pytest.mark.usefixtures("way_to_fetch")
@pytest.mark.parametrize("issuer", [None, 5, [], {}, "", "\ud800", "https://evil.example"])
def test_metadata_without_the_right_issuer_is_refused(site, issuer):
    site.answers[OAUTH] = site.metadata(issuer=issuer)

    with pytest.raises(DiscoveryError, match="speaks for issuer"):
        fetch_metadata(site.url)


def test_the_host_localhost_is_another_issuer_than_127_0_0_1(site):
    site.answers[OAUTH] = site.metadata()

    with pytest.raises(DiscoveryError, match="speaks for issuer"):
        fetch_metadata(site.url.replace("127.0.0.1", "localhost"))


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "as.example",
        "http://as.example",
        "ftp://as.example",
        "https://u@as.example",
        "https://as.example?x",
        "https://a:x",
    ],
)
def test_an_issuer_that_can_be_none_is_refused_before_anything_is_sent(issuer):
    with pytest.raises(DiscoveryError, match="is not accepted: it "):
        fetch_metadata(issuer)


# --- endpoints ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "https://as.example/token",
        "https://as.example/token?tenant=1",
        "http://127.0.0.1:5001/token",
        "http://[::1]/token",
    ],
)
def test_an_endpoint_that_is_https_or_on_loopback_is_given_out(url):
    assert ServerMetadata("https://as.example", {"token_endpoint": url}).token_endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        "http://as.example/token",
        "http://127.0.0.1.evil.example/token",
        "https://u:p@as.example/token",
        "https://as.example/token#f",
        "https://as.example:x/token",
        "https://as.example/tok en",
        "https://as.example/\r\nX: y",
        "https:///token",
        "ftp://as.example/token",
        "file:///etc/passwd",
        "/token",
        " ",
        "https://é.example",
        "https://as.example/{tenant}",
        "https://as.example/100%",
        "https://as%2eexample/token",
    ],
)
def test_an_unsafe_endpoint_is_refused(url):
    with pytest.raises(DiscoveryError, match="a token_endpoint that is not https"):
        _ = ServerMetadata("https://as.example", {"token_endpoint": url}).token_endpoint


@pytest.mark.parametrize(
    "raw", [{}, {"jwks_uri": None}, {"jwks_uri": ""}, {"jwks_uri": 5}, {"jwks_uri": ["https://as.example"]}]
)
def test_an_endpoint_that_is_not_named_is_said_so(raw):
    with pytest.raises(DiscoveryError, match="names no jwks_uri"):
        _ = ServerMetadata("https://as.example", raw).jwks_uri


# --- bad answers ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"\xff", b"{", b'{"issuer":1,"issuer":1}', b"[" * 90000, b'{"a":NaN}']
)
def test_an_answer_that_is_no_json_object_is_refused(site, body):
    site.answers[OAUTH] = Response(body)

    with pytest.raises(DiscoveryError, match="is not usable"):
        fetch_metadata(site.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(site, status):
    site.answers[OAUTH] = Response(status=status, headers={"Location": site.url + "/elsewhere"})
    site.answers["/elsewhere"] = site.metadata()

    with pytest.raises(DiscoveryError, match=f"status {status}"):
        fetch_metadata(site.url)
    assert site.paths == [OAUTH, OPENID]


@pytest.mark.usefixtures("way_to_fetch")
def test_an_answer_of_the_largest_size_is_read(site):
    body = json.dumps(site.metadata()).encode()
    site.answers[OAUTH] = Response(body + b" " * (exchange.MAX_BYTES - len(body)))

    assert fetch_metadata(site.url).issuer == site.url


@pytest.mark.usefixtures("way_to_fetch")
def test_an_answer_beyond_the_largest_size_is_refused(site):
    body = json.dumps(site.metadata()).encode()
    site.answers[OAUTH] = Response(body + b" " * (exchange.MAX_BYTES - len(body) + 1))

    with pytest.raises(DiscoveryError, match="more than 1048576 bytes"):
        fetch_metadata(site.url)


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(site, way_to_fetch):
    bomb = gzip.compress(b" " * (exchange.MAX_BYTES + 1))
    site.answers[OAUTH] = Response(bomb, headers={"Content-Encoding": "gzip"})
    says = "more than 1048576 bytes" if way_to_fetch == "threads" else "in a content coding that was not asked for"

    with pytest.raises(DiscoveryError, match=says):
        fetch_metadata(site.url)


@pytest.mark.usefixtures("way_to_fetch")
def test_nobody_at_the_address_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(DiscoveryError, match="cannot be reached: is the server running"):
        fetch_metadata(f"http://127.0.0.1:{port}")


@pytest.mark.usefixtures("way_to_fetch")
def test_something_that_speaks_no_http_is_a_sentence():
    with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as url, pytest.raises(DiscoveryError, match="not answer in HTTP"):
        fetch_metadata(url)


@pytest.mark.usefixtures("way_to_fetch")
@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"HTTP/1.1 200 OK\r\n", *[b"X"] * 200], id="a header, byte by byte"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", *[b" "] * 200], id="a body, byte by byte"),
    ],
)
def test_a_slow_server_is_left_after_the_timeout(pieces):
    with raw_server(*pieces, pause=0.05) as url:
        began = time.monotonic()
        with pytest.raises(DiscoveryError, match=r"did not answer within 0\.2 seconds"):
            fetch_metadata(url, timeout=0.2)
        assert time.monotonic() - began < 3


@pytest.mark.usefixtures("way_to_fetch")
def test_the_environment_gives_neither_a_proxy_nor_credentials(site, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    site.answers[OAUTH] = site.metadata()

    fetch_metadata(site.url)

    assert "Authorization" not in site.requests[0].headers


# --- keys -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def key():
    return jose.generate_private_key("ES256")


def test_keys_are_read_in_order_with_their_kid(site, key):
    site.answers["/jwks"] = {"keys": [key.public_jwk(kid="a"), key.public_jwk(kid="b")]}

    assert [found.kid for found in fetch_jwks(site.url + "/jwks")] == ["a", "b"]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        5,
        "x",
        [],
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"},
        {"kty": ["RSA"], "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    ],
)
def test_one_unusable_key_does_not_hide_the_others(site, key, entry):
    site.answers["/jwks"] = {"keys": [entry, key.public_jwk(kid="good")]}

    assert [found.kid for found in fetch_jwks(site.url + "/jwks")] == ["good"]


def test_a_key_for_encryption_is_left_out(site, key):
    site.answers["/jwks"] = {"keys": [key.public_jwk(use="enc")]}

    assert fetch_jwks(site.url + "/jwks") == ()


def test_only_so_many_keys_are_looked_at(site, key):
    site.answers["/jwks"] = {"keys": [key.public_jwk()] * (MAX_KEYS + 1)}

    assert len(fetch_jwks(site.url + "/jwks")) == MAX_KEYS


@pytest.mark.parametrize("keys", [None, "x", {}, 5])
def test_a_set_without_a_list_of_keys_is_refused(site, keys):
    site.answers["/jwks"] = {"keys": keys}

    with pytest.raises(DiscoveryError, match="keys is not a list"):
        fetch_jwks(site.url + "/jwks")


@pytest.mark.parametrize("uri", ["http://as.example/jwks", "file:///etc/passwd", "https://u@as.example/jwks", ""])
def test_keys_are_not_fetched_from_an_unsafe_address(uri):
    with pytest.raises(DiscoveryError, match="must be https"):
        fetch_jwks(uri)


# --- what says nothing ----------------------------------------------------------------------------------
def test_a_key_with_unset_members_written_out_is_read(site, key):
    unset = {"d": None, "k": "", "oth": [], "key_ops": [], "x5c": [], "alg": None, "use": None, "kid": None}
    site.answers["/jwks"] = {"keys": [{**key.public_jwk(), **unset}, {**key.public_jwk(), "d": "AAAA"}]}

    [read] = fetch_jwks(site.url + "/jwks")

    assert (read.thumbprint, read.kid) == (key.public.thumbprint, None)


@pytest.mark.parametrize("value", [None, "", []])
def test_an_endpoint_that_is_unset_is_not_named(site, value):
    site.answers[OAUTH] = site.metadata(token_endpoint=value, revocation_endpoint=value)

    metadata = fetch_metadata(site.url)

    for name in ("token_endpoint", "revocation_endpoint"):
        with pytest.raises(DiscoveryError, match=f"names no {name}"):
            metadata.endpoint(name)


def test_a_byte_order_mark_before_a_document_is_ignored(site, key):
    for path, document in ((OAUTH, site.metadata()), ("/jwks", {"keys": [key.public_jwk()]})):
        body = json.dumps(document).encode("utf-8-sig")
        site.answers[path] = Response(body, content_type="application/json")

    [read] = fetch_jwks(fetch_metadata(site.url).jwks_uri)

    assert read.thumbprint == key.public.thumbprint


def test_a_document_in_utf_16_is_named_for_what_it_is(site):
    body = json.dumps(site.metadata()).encode("utf-16")
    site.answers[OAUTH] = Response(body, content_type="application/json")

    with pytest.raises(DiscoveryError, match="the answer is UTF-16 text; save it as UTF-8"):
        fetch_metadata(site.url)
