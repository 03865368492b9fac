"""The way to a server: proxies and private authorities, given or from the environment, with real ones on loopback."""

import contextlib
import socket
import threading

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.fetching.discovery import DiscoveryError
from flask_private_key_jwt.fetching.exchange import NoAnswer
from flask_private_key_jwt.fetching.outbound import Outbound, build_outbound
from tests.fetching.ways import WAYS, exchange, fetch_metadata, fetching_with
from tests.servers.https_servers import Authority
from tests.servers.outbound_site import HOST, ISSUER, ROUTE, company_proxy, company_site, make_authority

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=WAYS, autouse=True)
def way_to_fetch(request):
    with fetching_with(request.param):
        yield


@pytest.fixture
def authority(tmp_path) -> Authority:
    return make_authority(tmp_path / "authority")


@pytest.fixture
def site(authority):
    with company_site(authority) as site:
        yield site


@pytest.fixture
def proxy(site):
    with company_proxy(site) as proxy:
        yield proxy


@pytest.fixture
def on_loopback(authority):
    """The URL of a server with a certificate for ``localhost``, asked without a proxy."""
    with company_site(authority, "localhost") as site:
        site.answers["/x"] = {"ok": True}
        yield f"https://localhost:{site.port}/x"


def way(proxy, authority, **changes):
    return Outbound(**{"proxies": {"https": proxy.url}, "ca_bundle": authority.bundle, **changes})


# --- proxies --------------------------------------------------------------------------------------------
def test_a_proxy_leads_to_a_server_that_only_it_can_reach(proxy, authority, site):
    assert fetch_metadata(ISSUER, outbound=way(proxy, authority)).issuer == ISSUER
    assert proxy.asked == [f"CONNECT {ROUTE}"]
    assert "Proxy-Authorization" not in site.requests[0].headers


def test_without_the_proxy_there_is_no_way(authority):
    with pytest.raises(DiscoveryError, match="cannot be reached: its host name is not known here"):
        fetch_metadata(ISSUER, outbound=Outbound(proxies={}, ca_bundle=authority.bundle))


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_counts_where_none_is_given(name, proxy, authority, monkeypatch):
    monkeypatch.setenv(name, proxy.url)

    assert fetch_metadata(ISSUER, outbound=Outbound(ca_bundle=authority.bundle)).issuer == ISSUER
    assert proxy.asked == [f"CONNECT {ROUTE}"]


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_the_environment_names_hosts_that_need_no_proxy(name, proxy, authority, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv(name, ".company.example")

    with pytest.raises(DiscoveryError, match="cannot be reached"):
        fetch_metadata(ISSUER, outbound=Outbound(ca_bundle=authority.bundle))
    assert proxy.asked == []


def test_what_is_given_goes_before_the_environment(proxy, authority, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    assert fetch_metadata(ISSUER, outbound=way(proxy, authority)).issuer == ISSUER


@pytest.mark.parametrize("proxies", [None, "given"])
def test_a_server_on_this_machine_is_never_asked_through_a_proxy(proxies, proxy, authority, on_loopback, monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    given = None if proxies is None else {"https": proxy.url, "all": proxy.url}

    answer = exchange("GET", on_loopback, timeout=5, outbound=Outbound(given, authority.bundle))

    assert answer.status == 200
    assert proxy.asked == []


def test_a_proxy_that_wants_a_password_gets_the_one_in_its_url(site, authority):
    with company_proxy(site, "user:hunter2") as proxy:
        outbound = Outbound({"https": f"http://user:hunter2@127.0.0.1:{proxy.port}"}, authority.bundle)

        assert fetch_metadata(ISSUER, outbound=outbound).issuer == ISSUER
        assert "hunter2" not in repr(outbound)


def test_a_proxy_that_wants_another_password_is_named_without_it(site, authority):
    with company_proxy(site, "user:hunter2") as proxy:
        outbound = Outbound({"https": f"http://user:wrong@127.0.0.1:{proxy.port}"}, authority.bundle)

        with pytest.raises(DiscoveryError) as refused:
            fetch_metadata(ISSUER, outbound=outbound)

        assert f"through the proxy 127.0.0.1:{proxy.port}: it refuses with status 407" in str(refused.value)
        assert "wrong" not in str(refused.value)


def test_a_proxy_that_does_not_serve_the_host_is_named(proxy, authority):
    proxy.routes.clear()

    with pytest.raises(
        DiscoveryError, match=rf"through the proxy 127\.0\.0\.1:{proxy.port}: it refuses with status 403"
    ):
        fetch_metadata(ISSUER, outbound=way(proxy, authority))


def test_a_proxy_that_is_away_is_named(authority):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(DiscoveryError, match=r"through the proxy 127\.0\.0\.1:\d+: it does not answer\."):
        fetch_metadata(ISSUER, outbound=Outbound({"https": url}, authority.bundle))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://[::wrong", "does not hold the URL of a proxy"),
        ("http://alice:hunter/2@proxy.example:3128", "does not hold the URL of a proxy"),
        ("http://alice:80/hunter2@proxy.example:3128", "does not hold the URL of a proxy"),
        ("alice:80/hunter2@proxy.example:3128", "does not hold the URL of a proxy"),
        ("ftp://alice:hunter2@proxy.example", "does not hold the URL of a proxy"),
        ("socks5://alice:hunter2@127.0.0.1:1", "names a SOCKS proxy, and (PySocks|httpx\\[socks\\]) is not installed"),
    ],
)
def test_what_is_no_proxy_in_the_environment_is_said_without_being_quoted(url, problem, authority, monkeypatch):
    monkeypatch.setattr("flask_private_key_jwt.fetching.outbound.find_spec", lambda _: None)
    monkeypatch.setenv("HTTPS_PROXY", url)

    with pytest.raises(DiscoveryError, match=rf"was not asked: .*\(HTTPS_PROXY\) {problem}") as caught:
        fetch_metadata(ISSUER, outbound=Outbound(ca_bundle=authority.bundle))
    assert "hunter" not in str(caught.value)
    assert "alice" not in str(caught.value)


def test_netrc_is_not_used_on_the_way(proxy, authority, site, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine {HOST} login thief password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    fetch_metadata(ISSUER, outbound=Outbound(ca_bundle=authority.bundle))

    assert "Authorization" not in site.requests[0].headers


# --- authorities ----------------------------------------------------------------------------------------
def test_an_authority_of_ones_own_may_be_given(on_loopback, authority):
    assert exchange("GET", on_loopback, timeout=5, outbound=Outbound(ca_bundle=authority.bundle)).status == 200


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_authorities_of_the_environment_count_where_none_are_given(name, on_loopback, authority, monkeypatch):
    monkeypatch.setenv(name, authority.bundle)

    assert exchange("GET", on_loopback, timeout=5).status == 200


def test_given_authorities_go_before_those_of_the_environment(on_loopback, authority, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", make_authority(tmp_path / "another").bundle)

    assert exchange("GET", on_loopback, timeout=5, outbound=Outbound(ca_bundle=authority.bundle)).status == 200


def test_an_unknown_authority_is_said_with_what_to_do(on_loopback):
    with pytest.raises(
        NoAnswer, match=r"an authority that is not trusted here: .* give it as ca_bundle \(OAUTH2_CA_BU"
    ):
        exchange("GET", on_loopback, timeout=5)


def test_an_unknown_authority_behind_a_proxy_is_said_too(proxy):
    with pytest.raises(DiscoveryError, match=r"not trusted here: .* through the proxy 127"):
        fetch_metadata(ISSUER, outbound=Outbound({"https": proxy.url}))


def test_authorities_of_the_environment_that_are_not_there_are_named(on_loopback, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")

    with pytest.raises(NoAnswer, match=r"the certificate authorities '/no/such/bundle\.pem' do not exist"):
        exchange("GET", on_loopback, timeout=5)


# --- what else TLS may be about -------------------------------------------------------------------------
def refusal(url, authority):
    with pytest.raises(NoAnswer) as refused:
        exchange("GET", url, timeout=5, outbound=Outbound(ca_bundle=authority.bundle))
    assert "not trusted" not in str(refused.value)
    return str(refused.value)


def test_a_certificate_for_another_name_is_said(authority):
    with company_site(authority, "other.example") as site:
        url = f"https://localhost:{site.port}/"
        assert refusal(url, authority) == f"{url} has a TLS certificate for another name."


def test_a_certificate_that_has_expired_is_said(authority):
    with company_site(authority, "localhost", expired=True) as site:
        assert "has a TLS certificate that has expired." in refusal(f"https://localhost:{site.port}/", authority)


@contextlib.contextmanager
def plain_server(reply):
    """Sends *reply* to the first who says anything."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join()
    listener.close()


def test_a_plain_http_server_is_not_called_untrusted(authority):
    with plain_server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        assert "does not speak TLS: it may be a plain http server" in refusal(f"https://127.0.0.1:{port}/", authority)


def test_a_server_that_hangs_up_in_the_handshake_is_said(authority):
    with plain_server(b"") as port:
        assert "broke off the TLS handshake" in refusal(f"https://127.0.0.1:{port}/", authority)


def test_a_tls_server_that_is_asked_in_plain_http_is_said(authority):
    with plain_server(bytes.fromhex("15030100020246") + b"\r\n") as port:
        assert "does not answer in HTTP: does it speak https?" in refusal(f"http://127.0.0.1:{port}/", authority)


def test_a_server_that_says_nothing_and_hangs_up_is_said(authority):
    with plain_server(b"") as port:
        assert "hung up without an answer." in refusal(f"http://127.0.0.1:{port}/", authority)


# --- what is given is checked at the start --------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "proxy.example:3128",
        "ftp://u:hunter2@proxy.example",
        "http://",
        "http://u:hunter2@h:x",
        "http://[::hunter2",
        "http://u:80/hunter2@h:1",
        "http://u:80?hunter2@h:1",
        "http://u:hunter2@h:0",
        5,
    ],
)
def test_what_is_no_proxy_is_refused_without_being_quoted(url):
    with pytest.raises(ConfigurationError, match=r"^proxies does not hold the URL of a proxy") as refused:
        build_outbound({"https": url}, None)
    assert "hunter2" not in str(refused.value)


def test_an_empty_proxy_is_none_as_in_requests():
    assert build_outbound({"https": "", "no_proxy": "x"}, None).proxies == {}


def test_proxies_are_a_mapping():
    with pytest.raises(ConfigurationError, match="proxies is not a mapping"):
        build_outbound("http://proxy.example", None)


def test_a_socks_proxy_needs_pysocks(monkeypatch):
    monkeypatch.setattr("flask_private_key_jwt.fetching.outbound.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="pip install PySocks"):
        build_outbound({"https": "socks5h://proxy.example:1080"}, None)


def test_a_bundle_without_certificates_is_refused(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")

    with pytest.raises(ConfigurationError, match=r"The ca_bundle '.*empty\.pem' holds no certificate authorities"):
        build_outbound(None, tmp_path / "empty.pem")


def test_a_bundle_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"The ca_bundle '.*' does not exist\."):
        build_outbound(None, tmp_path / "missing.pem")
