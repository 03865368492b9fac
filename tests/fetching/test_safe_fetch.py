"""fetching/safe_fetch.py, against real HTTPS servers on loopback: what is read, and which addresses are refused."""

import gzip
import json
import socket
import threading
import time
import tracemalloc
import zlib

import pytest

from flask_private_key_jwt.errors import ConfigurationError, FetchBusy
from flask_private_key_jwt.fetching import safe_fetch
from flask_private_key_jwt.fetching.safe_fetch import FetchFailed, FetchPolicy, FetchRefused, SafeFetcher
from tests.servers.https_servers import ADDRESS, HOST, URL, answer

OTHER_ADDRESS = "93.184.215.15"
V6_ADDRESS = "2606:2800:220:1::1"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GZIP = "Content-Encoding: gzip"


def reason_for(fetcher, url=URL, error=FetchFailed):
    with pytest.raises(error) as failed:
        fetcher.fetch(url)
    return failed.value.reason


# --- what is read ---------------------------------------------------------------------------------------
def test_a_document_is_fetched_over_tls(site, fetcher):
    site.pieces = answer(b'{"keys": [1]}', "Cache-Control: max-age=90", "Age: 30")

    document = fetcher.fetch(URL)

    assert document.members == {"keys": [1]}
    assert document.text == '{"keys": [1]}'
    assert document.fresh_for == 60


def test_a_byte_order_mark_before_a_document_is_ignored(site, fetcher):
    site.pieces = answer(b'\xef\xbb\xbf{"keys": [1]}')

    document = fetcher.fetch(URL)

    assert document.members == {"keys": [1]}
    assert document.text == '{"keys": [1]}'


def test_a_document_in_utf_16_is_named_for_what_it_is(site, fetcher):
    site.pieces = answer('{"keys": [1]}'.encode("utf-16"))

    assert reason_for(fetcher) == "the document is UTF-16 text; save it as UTF-8"


def test_a_document_that_does_not_say_how_long_it_is_good_is_fetched(site, fetcher):
    assert fetcher.fetch(URL).fresh_for is None


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/jwk-set+json", "Application/JSON; charset=utf-8", "application/anything+json"],
)
def test_json_is_read_under_each_of_its_types(content_type, site, fetcher):
    site.pieces = answer(b"{}", content_type=content_type)

    assert fetcher.fetch(URL).members == {}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HEAD + b"\r\n", b'{"a"', b":1}"], id="until the end of the connection"),
        pytest.param(
            [HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\n", b'{"a"\r\n3\r\n:1}\r\n0\r\n\r\n'], id="chunked"
        ),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", *answer(b'{"a":1}')], id="after 100 Continue"),
        pytest.param([b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", b'{"a":1}'], id="HTTP/1.0"),
    ],
)
def test_a_body_is_read_however_it_is_framed(pieces, site, fetcher):
    site.pieces = pieces

    assert fetcher.fetch(URL).members == {"a": 1}


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_a_compressed_body_is_read(encoding, compress, site, fetcher):
    site.pieces = answer(compress(b'{"a":1}'), f"Content-Encoding: {encoding}")

    assert fetcher.fetch(URL).text == '{"a":1}'


# --- what is sent ---------------------------------------------------------------------------------------
def test_the_request_names_the_urls_host_and_carries_nothing_else_of_ours(site, fetcher):
    fetcher.fetch(URL + "?v=/1")

    request_line, *headers = site.requests[0].strip().split("\r\n")
    assert request_line == "GET /jwks.json?v=/1 HTTP/1.1"
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Accept: application/json, application/jwk-set+json",
        "Connection: close",
        f"Host: {HOST}",
        "User-Agent: flask-private-key-jwt",
    ]


def test_tls_asks_for_the_urls_name_though_the_connection_goes_to_an_address(site, fetcher, network):
    fetcher.fetch(URL)

    assert site.server_names == [HOST]
    assert network.connections == [(ADDRESS, 443)]


def test_a_port_is_named_in_the_host_header(serve, authority, build_fetcher):
    site = serve(authority.server_context(HOST), port=8443)

    build_fetcher(ports=frozenset({8443})).fetch(f"https://{HOST}:8443/")

    assert f"\r\nHost: {HOST}:8443\r\n" in site.requests[0]


def test_a_name_in_other_letters_is_looked_up_as_a_labels(serve, authority, network, fetcher):
    network.names["xn--bcher-kva.example"] = [[ADDRESS]]
    site = serve(authority.server_context("xn--bcher-kva.example"))

    fetcher.fetch("https://BÜCHER.example/")

    assert site.server_names == ["xn--bcher-kva.example"]


def test_cookies_are_not_kept(site, fetcher):
    site.pieces = answer(b"{}", "Set-Cookie: a=b")

    fetcher.fetch(URL)
    fetcher.fetch(URL)

    assert "Cookie" not in site.requests[1]


def test_the_environment_gives_neither_a_proxy_nor_credentials_nor_trust(site, fetcher, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine {HOST} login thief password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/dev/null")

    fetcher.fetch(URL)

    assert "Authorization" not in site.requests[0]


# --- where a name leads ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "fe80::1%eth0",
    ],
)
@pytest.mark.parametrize("public", [[], [ADDRESS]], ids=["alone", "after a public one"])
def test_a_name_with_an_address_that_is_not_public_is_refused_before_anything_is_sent(
    address, public, network, fetcher
):
    network.names[HOST] = [[*public, address]]

    reason = reason_for(fetcher, error=FetchRefused)

    assert reason.startswith(f"host {HOST!r} has address {address}, which is not allowed")
    assert network.connections == []


def test_a_resolver_that_changes_its_answer_after_the_check_is_not_asked_again(site, network, fetcher):
    network.names[HOST] = [[ADDRESS], ["127.0.0.1"]]

    fetcher.fetch(URL)

    assert network.lookups == [(HOST, 443)]
    assert network.connections == [(ADDRESS, 443)]


def test_a_name_that_has_turned_to_loopback_is_refused_at_the_next_fetch(site, network, fetcher):
    network.names[HOST] = [[ADDRESS], ["127.0.0.1"]]
    fetcher.fetch(URL)

    assert "not allowed: loopback" in reason_for(fetcher, error=FetchRefused)
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "１２７.０.０.１", "[::1]", "[::ffff:127.0.0.1]", "localhost."],
)
def test_no_spelling_of_loopback_gets_as_far_as_a_lookup(host, network, fetcher):
    reason_for(fetcher, f"https://{host}/", FetchRefused)

    assert network.lookups == []


@pytest.mark.parametrize("host", ["a.0x7f.1", "1.2.3.4.5", "256.1.1.1"])
def test_a_numeric_host_that_only_the_resolver_understands_is_judged_by_its_address(host, network, fetcher):
    network.names[host] = [["127.0.0.1"]]

    assert "not allowed: loopback" in reason_for(fetcher, f"https://{host}/", FetchRefused)


def test_the_next_address_is_tried_when_one_does_not_answer(site, network, fetcher):
    network.names[HOST] = [[V6_ADDRESS, OTHER_ADDRESS, ADDRESS]]

    assert fetcher.fetch(URL).members == {"keys": []}
    assert network.connections == [(V6_ADDRESS, 443), (OTHER_ADDRESS, 443), (ADDRESS, 443)]


def test_a_name_without_an_address_is_a_failure(network, fetcher):
    assert "Name or service not known" in reason_for(fetcher, "https://nobody.example/")


@pytest.mark.parametrize("count", [0, 17])
def test_a_name_with_no_or_too_many_addresses_is_a_failure(count, network, fetcher):
    network.names[HOST] = [[ADDRESS] * count]

    assert reason_for(fetcher) == f"host {HOST!r} has {count} addresses"
    assert network.connections == []


def test_nobody_at_the_address_is_a_failure(fetcher):
    assert reason_for(fetcher) == f"port 443 of {ADDRESS} does not answer"


def test_the_rules_for_urls_hold_at_registration_and_at_each_fetch(network, fetcher):
    with pytest.raises(FetchRefused, match="the URL is not https"):
        fetcher.check_url("http://keys.client.example/")

    assert reason_for(fetcher, "http://keys.client.example/", FetchRefused) == "the URL is not https"
    assert network.lookups == []


def test_a_url_that_may_be_registered_is_not_looked_up(network, fetcher):
    fetcher.check_url("https://nobody.example/jwks")

    assert network.lookups == []


# --- TLS ------------------------------------------------------------------------------------------------
def test_a_certificate_of_another_name_is_a_failure(serve, authority, fetcher):
    site = serve(authority.server_context("other.client.example"))

    assert "certificate is not valid for 'keys.client.example'" in reason_for(fetcher)
    assert site.requests == []


def test_an_expired_certificate_is_a_failure(serve, authority, fetcher):
    serve(authority.server_context(HOST, expired=True))

    assert "certificate has expired" in reason_for(fetcher)


def test_an_authority_that_is_not_trusted_is_a_failure(site, network):
    fetcher = SafeFetcher(FetchPolicy(), resolve=network.resolve, connect=network.connect)

    assert "certificate verify failed" in reason_for(fetcher)
    assert site.requests == []


def test_a_server_without_tls_is_a_failure(serve, fetcher):
    serve(None, greets=True).pieces = [b"SSH-2.0-OpenSSH_9.2\r\n"]

    assert "SSL" in reason_for(fetcher)


def test_authorities_that_cannot_be_read_are_an_error_at_start(tmp_path):
    (tmp_path / "empty.pem").touch()
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(ConfigurationError, match="holds no certificate authorities in PEM"):
            SafeFetcher(FetchPolicy(ca_bundle=str(path)))


# --- bad answers ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(status, site, fetcher, network):
    site.pieces = answer(b'{"keys": []}', f"Location: https://{HOST}/elsewhere", status=status)

    assert reason_for(fetcher) == f"status {status[:3]}, not 200"
    assert len(network.connections) == 1


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "206 Partial", "304 Same", "404 No", "500 Oh"])
def test_only_status_200_has_a_document(status, site, fetcher):
    site.pieces = answer(b"" if status[:3] in ("204", "304") else b"{}", status=status)

    assert reason_for(fetcher) == f"status {status[:3]}, not 200"


@pytest.mark.parametrize(
    "content_type", [None, "", "text/html", "text/plain", "application/jsonx", "json", "application"]
)
def test_another_content_type_is_a_failure(content_type, site, fetcher):
    site.pieces = answer(b"{}", content_type=content_type)

    assert reason_for(fetcher) == f"content type {(content_type or '')!r} is not JSON"


def test_two_content_types_are_a_failure(site, fetcher):
    site.pieces = answer(b"{}", "Content-Type: text/html")

    assert "is not JSON" in reason_for(fetcher)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"x"', b"\xff{}", b"{}\xef\xbb\xbf", b"{", b'{"a":1,"a":1}', b'{"a":NaN}', b"[" * 90000],
)
def test_a_body_that_is_no_json_object_is_a_failure(body, site, fetcher):
    site.pieces = answer(body)

    assert reason_for(fetcher).startswith("the document is ")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], id="no HTTP"),
        pytest.param([b"HTTP/1.1 200 OK\r\n" + b"X" * 70000 + b"\r\n\r\n"], id="an endless header"),
        pytest.param([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"], id="endless headers"),
        pytest.param([HEAD + b"Content-Length: 90\r\n\r\n{}"], id="cut off"),
        pytest.param([HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"], id="broken chunks"),
        pytest.param([HEAD + b"Content-Encoding: gzip\r\n\r\n{}"], id="broken gzip"),
    ],
)
def test_a_broken_answer_is_a_failure(pieces, site, fetcher):
    site.pieces = pieces

    assert reason_for(fetcher)


# --- size -----------------------------------------------------------------------------------------------
def test_a_document_of_the_largest_size_is_read(site, build_fetcher):
    site.pieces = answer(b"{}".ljust(5000))

    assert len(build_fetcher(max_bytes=5000).fetch(URL).text) == 5000


def test_a_larger_document_is_a_failure(site, build_fetcher):
    site.pieces = answer(b"{}".ljust(5001))

    assert reason_for(build_fetcher(max_bytes=5000)) == "more than 5000 bytes"


def test_a_body_without_an_end_is_left_at_the_limit(site, build_fetcher):
    site.pieces = [HEAD + b"\r\n", *[b" " * 1000] * 1000]

    assert reason_for(build_fetcher(max_bytes=5000)) == "more than 5000 bytes"


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_left_at_the_limit_without_unpacking_it(layers, site, fetcher):
    bomb = b" " * (64 << 20)
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    site.pieces = answer(bomb, "Content-Encoding: " + ", ".join(["gzip"] * layers))

    tracemalloc.start()
    try:
        reason = reason_for(fetcher)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert reason == "more than 262144 bytes"
    assert peak < 4 << 20


# --- time -----------------------------------------------------------------------------------------------
SLOW = [
    pytest.param([2.0], id="nothing"),
    pytest.param([b"HTTP/1.1 200 OK\r\n", *[b"X", 0.02] * 100], id="a header, byte by byte"),
    pytest.param([*[b"HTTP/1.1 100 Continue\r\n\r\n", 0.02] * 100], id="always about to begin"),
    pytest.param([HEAD + b"Content-Length: 99\r\n\r\n", *[b" ", 0.02] * 100], id="a body, byte by byte"),
    pytest.param([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n", 0.02] * 100], id="chunk by chunk"),
    pytest.param([HEAD + f"{GZIP}\r\n\r\n".encode() + gzip.compress(b"{}")[:12], *[b"\0", 0.02] * 100], id="gzip"),
]


def fetch_threads():
    return [thread for thread in threading.enumerate() if thread.name == "oauth2-fetch"]


@pytest.mark.parametrize("pieces", SLOW)
def test_a_slow_server_is_left_at_the_deadline_and_its_thread_ends(pieces, site, build_fetcher):
    site.pieces = pieces
    began = time.monotonic()

    assert reason_for(build_fetcher(timeout_seconds=0.2)) == "no answer within 0.2 seconds"

    assert time.monotonic() - began < 1
    for thread in fetch_threads():
        thread.join(timeout=1)
    assert fetch_threads() == []


def test_a_server_that_does_not_finish_the_handshake_is_left_at_the_deadline(serve, build_fetcher):
    serve(None, greets=True).pieces = [b"\x16\x03\x03\x7f\xff", *[b"\0", 0.02] * 100]
    began = time.monotonic()

    assert reason_for(build_fetcher(timeout_seconds=0.2)).startswith(("no answer within 0.2 s", "SSL", "TimeoutError"))
    assert time.monotonic() - began < 1


@pytest.fixture
def stuck():
    """Blocks whoever waits for it until the test has ended."""
    event = threading.Event()
    yield event
    event.set()


def test_a_name_server_that_does_not_answer_is_left_at_the_deadline(stuck, network):
    policy = FetchPolicy(timeout_seconds=0.1)
    fetcher = SafeFetcher(policy, resolve=lambda _host, _port: stuck.wait(60) and [], connect=network.connect)

    assert reason_for(fetcher) == "no answer within 0.1 seconds"


def test_a_connection_that_comes_after_the_deadline_is_closed(stuck, network):
    mine, theirs = socket.socketpair()

    def connect(_address, _port, _timeout):
        stuck.wait(60)
        return mine

    fetcher = SafeFetcher(FetchPolicy(timeout_seconds=0.1), resolve=network.resolve, connect=connect)
    assert reason_for(fetcher) == "no answer within 0.1 seconds"

    stuck.set()
    theirs.settimeout(2)
    with theirs:
        assert theirs.recv(1) == b""


def test_several_addresses_share_the_time(network):
    network.names[HOST] = [[OTHER_ADDRESS, ADDRESS]]
    shares = []

    def connect(_address, _port, timeout):
        shares.append(timeout)
        raise TimeoutError

    fetcher = SafeFetcher(FetchPolicy(timeout_seconds=2), resolve=network.resolve, connect=connect)
    reason_for(fetcher)

    assert shares == [pytest.approx(1, abs=0.1), pytest.approx(2, abs=0.1)]


def test_only_so_many_fetches_are_under_way_at_a_time(stuck, network):
    asked = []

    def resolve(host, port):
        asked.append(host)
        stuck.wait(60)
        return network.resolve(host, port)

    fetcher = SafeFetcher(FetchPolicy(timeout_seconds=0.1, max_concurrent=2), resolve=resolve, connect=network.connect)
    reasons = [reason_for(fetcher) for _ in range(2)]
    with pytest.raises(FetchBusy) as refused:
        fetcher.fetch(URL)

    assert reasons == ["no answer within 0.1 seconds"] * 2
    assert refused.value.reason == "2 other fetches are under way"
    assert len(asked) == 2


def test_a_fetch_that_has_ended_makes_room_for_the_next(site, build_fetcher):
    fetcher = build_fetcher(max_concurrent=1)
    site.pieces = answer(b"", status="500 Oh")
    for _ in range(3):
        assert reason_for(fetcher) == "status 500, not 200"
    site.pieces = answer(b"{}")

    assert fetcher.fetch(URL).members == {}


def test_a_machine_out_of_threads_is_a_failure_that_passes(site, build_fetcher, monkeypatch):
    fetcher = build_fetcher(max_concurrent=1)

    class NoThread:
        def __init__(self, **_):
            pass

        def start(self):
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(safe_fetch, "Thread", NoThread)
        assert reason_for(fetcher) == "no thread can be started"

    assert fetcher.fetch(URL).members == {"keys": []}


# --- development ----------------------------------------------------------------------------------------
@pytest.fixture
def loopback(serve, network):
    """A plain HTTP server on this machine, at http://localhost:5001."""
    network.names |= {"localhost": [["127.0.0.1"]], "127.0.0.1": [["127.0.0.1"]]}
    return serve(None, address="127.0.0.1", port=5001)


def test_loopback_is_not_fetched_from(loopback, fetcher):
    for url in ("http://localhost:5001/", "https://localhost/", "http://127.0.0.1:5001/"):
        reason_for(fetcher, url, FetchRefused)

    assert loopback.requests == []


def test_the_switch_for_development_fetches_from_loopback_and_says_so(loopback, build_fetcher, caplog):
    fetcher = build_fetcher(allow_loopback=True)
    assert "for development only" in caplog.text
    caplog.clear()

    assert fetcher.fetch("http://localhost:5001/").members == {"keys": []}
    assert caplog.messages == ["fetching 'http://localhost:5001/' from this machine, which only development may do"]


def test_the_switch_for_development_trusts_no_other_address_of_the_name(loopback, network, build_fetcher):
    network.names["localhost"] = [["127.0.0.1", "10.0.0.1"]]

    reason = reason_for(build_fetcher(allow_loopback=True), "http://localhost:5001/", FetchRefused)

    assert reason == "host 'localhost' has address 10.0.0.1, which is not allowed: not of this machine"


def test_the_switch_for_development_changes_nothing_for_other_names(network, build_fetcher):
    network.names[HOST] = [["127.0.0.1"]]

    assert "not allowed: loopback" in reason_for(build_fetcher(allow_loopback=True), error=FetchRefused)


def test_loopback_over_tls_is_verified_as_anywhere(serve, authority, network, build_fetcher):
    network.names["localhost"] = [["127.0.0.1"]]
    serve(authority.server_context("localhost"), address="127.0.0.1", port=8443)
    fetcher = build_fetcher(allow_loopback=True)
    assert fetcher.fetch("https://localhost:8443/").members == {"keys": []}

    serve(authority.server_context("other.example"), address="127.0.0.1", port=8443)
    assert "certificate verify failed" in reason_for(fetcher, "https://localhost:8443/")


# --- the real resolver and connector, as far as loopback goes -------------------------------------------
def test_the_systems_own_resolver_and_sockets_are_used_by_default(serve, build_fetcher):
    site = serve(None)
    site.pieces = answer(json.dumps({"a": 1}).encode())
    fetcher = SafeFetcher(FetchPolicy(allow_loopback=True))

    assert fetcher.fetch(f"http://127.0.0.1:{site.port}/").members == {"a": 1}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
def test_the_systems_own_resolver_reads_numeric_spellings_as_we_judge_them(host):
    assert safe_fetch.resolve_host(host, 443) == ["127.0.0.1"]
