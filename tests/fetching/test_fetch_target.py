"""fetching/fetch_target.py: which URLs may be fetched, before any name is looked up."""

import pytest

from flask_private_key_jwt.fetching.fetch_target import (
    MAX_URL_CHARACTERS,
    FetchPolicy,
    FetchRefused,
    FetchTarget,
    read_target,
)


def read(url, **policy):
    return read_target(url, FetchPolicy(**policy))


def reason_for(url, **policy):
    with pytest.raises(FetchRefused) as refused:
        read(url, **policy)
    return refused.value.reason


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://keys.example/jwks", ("keys.example", 443, "/jwks"), "keys.example"),
        ("HTTPS://Keys.EXAMPLE:443/jwks", ("keys.example", 443, "/jwks"), "keys.example"),
        ("https://keys.example", ("keys.example", 443, "/"), "keys.example"),
        ("https://keys.example:/a", ("keys.example", 443, "/a"), "keys.example"),
        ("https://keys.example?tenant=1", ("keys.example", 443, "/?tenant=1"), "keys.example"),
        ("https://keys.example/a//b/../c?x=/%2e", ("keys.example", 443, "/a//b/../c?x=/%2e"), "keys.example"),
        ("https://keys.example./a", ("keys.example", 443, "/a"), "keys.example"),
        ("https://bücher.example/a", ("xn--bcher-kva.example", 443, "/a"), "xn--bcher-kva.example"),
        ("https://ＫＥＹＳ.example/a", ("keys.example", 443, "/a"), "keys.example"),
        ("https://93.184.215.14/a", ("93.184.215.14", 443, "/a"), "93.184.215.14"),
        ("https://[2606:4700:4700:0::1111]/a", ("2606:4700:4700::1111", 443, "/a"), "[2606:4700:4700::1111]"),
    ],
)
def test_an_https_url_is_taken_apart(url, target, authority):
    found = read(url)

    assert found == FetchTarget("https", *target)
    assert found.authority == authority


def test_a_port_that_the_operator_allows_may_be_named():
    assert read("https://keys.example:8443/a", ports=frozenset({443, 8443})).authority == "keys.example:8443"


@pytest.mark.parametrize("port", ["8443", "0", "80", "22", "65535"])
def test_another_port_is_refused(port):
    assert reason_for(f"https://keys.example:{port}/a") == f"port {port} is not one of 443"


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "gopher", "ws", "data", "httpsx"])
def test_another_scheme_is_refused(scheme):
    assert reason_for(f"{scheme}://keys.example/a") == "the URL is not https"


@pytest.mark.parametrize("url", ["", "keys.example", "//keys.example/a", "https:", "https:///a", "https:keys", "/a"])
def test_a_url_without_scheme_or_host_is_refused(url):
    assert reason_for(url) in (
        "the URL must be an absolute URL",
        "the URL's host is not a host name",
        "the URL is not https",
    )


@pytest.mark.parametrize("url", ["https://keys.example/#", "https://keys.example/a#b", "https://k.example#@10.0.0.1/"])
def test_a_fragment_is_refused(url):
    assert reason_for(url) == "the URL has a fragment"


@pytest.mark.parametrize("user", ["u@", "u:p@", "@", ":@", "u%40:p@"])
def test_a_user_name_is_refused(user):
    assert reason_for(f"https://{user}keys.example/a") == "the URL holds a user name"


@pytest.mark.parametrize("character", [*'\t\n\r \x00\x1f\x7f"<>^`{|}', "\\"])
def test_a_character_that_no_url_has_is_refused(character):
    for url in (f"https://keys{character}.example/a", f"https://keys.example/a{character}", f"{character}https://k.e/"):
        assert reason_for(url) == "the URL holds a character that no URL has"


@pytest.mark.parametrize(
    "url",
    ["https://keys.example/é", "https://keys.example/?é", "https://keys.example/\ud800", "https://k.example/%é41"],
)
def test_a_path_that_is_not_ascii_is_refused(url):
    assert reason_for(url) == "the URL holds a character that no URL has"


@pytest.mark.parametrize("port", ["x", "-1", "65536", "99999", "+443", "4_43", "４４３"])
def test_a_port_that_is_no_number_is_refused(port):
    assert reason_for(f"https://keys.example:{port}/a") == "the URL has a port that is not a number up to 65535"


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        ".example",
        "-a.example",
        "a_b.example",
        "%31%32%37.0.0.1",
        "*.example",
        "a" * 64 + ".example",
        "a." * 127 + "example",
        "xn--a.example",
        "\u200b.example",
        "\ud800.example",
        "é" * 300,
        "keys.example,evil.example",
        "0x7f.1;",
    ],
)
def test_a_host_that_is_no_name_is_refused(host):
    assert reason_for(f"https://{host}/a") in (
        "the URL has a host that is neither a name nor an IP address",
        "the URL's host is not a host name",
    )


@pytest.mark.parametrize("host", ["[::1", "::1]", "[2606::1]x", "x[2606::1]", "[2606::1].example", "[fe80::1%25eth0]"])
def test_brackets_around_anything_but_an_address_are_refused(host):
    assert reason_for(f"https://{host}/a") == "the URL has a host that is neither a name nor an IP address"


@pytest.mark.parametrize("host", ["[]", "[v1.x]", "[1::2::3]", "[2606::g]", "[93.184.215.14]"])
def test_an_address_in_brackets_that_is_not_ipv6_is_refused(host):
    assert reason_for(f"https://{host}/a") == "the URL has a host that is neither a name nor an IP address"


def test_the_longest_url_is_accepted():
    url = "https://keys.example/".ljust(MAX_URL_CHARACTERS, "a")

    assert read(url).path == url.removeprefix("https://keys.example")
    assert reason_for(url + "a") == "the URL is longer than 2048 characters"


# --- what needs no lookup to be refused -----------------------------------------------------------------
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "a.localhost", "ｌocalhost"])
def test_the_name_of_this_machine_is_refused(host):
    assert reason_for(f"https://{host}/a") == "the URL names this machine"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "0177.1",
        "017700000001",
        "2130706433",
        "１２７.０.０.１",
        "127。0。0。1",
        "①27.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
    ],
)
def test_every_spelling_of_a_loopback_address_is_refused(host):
    assert reason_for(f"https://{host}/a").endswith("is not public: loopback")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[::ffff:169.254.169.254]"]
)
def test_every_spelling_of_the_metadata_service_is_refused(host):
    assert reason_for(f"https://{host}/a").endswith("is not public: link-local")


@pytest.mark.parametrize("host", ["0", "0.0.0.0", "10.1", "192.168.1", "[::]", "[::1]", "[fd00:ec2::254]", "[fe80::1]"])
def test_other_addresses_that_are_not_public_are_refused(host):
    assert "is not public" in reason_for(f"https://{host}/a")


# --- allow-list -----------------------------------------------------------------------------------------
def test_a_host_on_the_list_is_accepted_however_it_is_spelt():
    hosts = frozenset({"keys.example"})

    assert read("https://KEYS.example./a", hosts=hosts).host == "keys.example"


@pytest.mark.parametrize(
    "host", ["evil.example", "a.keys.example", "keys.example.evil.example", "eys.example", "1.1.1.1"]
)
def test_a_host_that_is_not_on_the_list_is_refused(host):
    reason = reason_for(f"https://{host}/a", hosts=frozenset({"keys.example"}))

    assert reason == f"host {host!r} is not one that may be named"


# --- development ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_is_let_through_for_development(scheme, host):
    target = read(f"{scheme}://{host}:5001/a", allow_loopback=True)

    assert target.is_loopback
    assert target.authority == f"{host}:5001"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_has_its_usual_ports(scheme):
    assert read(f"{scheme}://localhost/a", allow_loopback=True).authority == "localhost"


@pytest.mark.parametrize(
    "url",
    [
        "http://keys.example/a",
        "http://127.0.0.2/a",
        "https://127.1.1.1/a",
        "http://10.0.0.1/a",
        "http://[::ffff:127.0.0.1]/a",
        "https://a.localhost/a",
        "https://169.254.169.254/a",
        "ftp://127.0.0.1/a",
        "https://keys.example:5001/a",
    ],
)
def test_development_lets_nothing_else_through(url):
    assert reason_for(url, allow_loopback=True)
