"""Which spellings of a URL name the same target (RFC 9449 §4.3 item 9, RFC 3986 §6.2.2, §6.2.3)."""

import pytest

from flask_private_key_jwt.dpop.proof import normalize_htu
from tests.conftest import ISSUER, TOKEN_URL
from tests.dpop.proofs import assert_refused


@pytest.mark.parametrize(
    "htu",
    [
        TOKEN_URL,
        f"{TOKEN_URL}?query=1",
        f"{TOKEN_URL}#fragment",
        f"{TOKEN_URL}?query=é#fragment",
        "HTTPS://AS.EXAMPLE/oauth2/token",
        "https://as.example:443/oauth2/token",
        "https://as.example:/oauth2/token",
        "https://as.example/%6Fauth2/token",
        "https://as.example/%6fauth2/token",
    ],
)
def test_equivalent_htu_is_accepted(htu, check, build_dpop):
    assert check(build_dpop(htu=htu))


@pytest.mark.parametrize(
    "htu",
    [
        "",
        "/oauth2/token",
        "as.example/oauth2/token",
        "//as.example/oauth2/token",
        ISSUER,
        f"{TOKEN_URL}/",
        f"{TOKEN_URL}x",
        "https://as.example/oauth2/Token",
        "https://as.example/x/../oauth2/token",
        "https://as.example/./oauth2/token",
        "https://as.example//oauth2/token",
        "https://as.example/oauth2/token%00",
        "https://as.example/oauth2/token;x",
        "http://as.example/oauth2/token",
        "http://as.example:443/oauth2/token",
        "https://as.example:80/oauth2/token",
        "https://as.example:8443/oauth2/token",
        "https://evil.example/oauth2/token",
        "https://as.example.evil.example/oauth2/token",
        "https://as.example@evil.example/oauth2/token",
        "https://evil.example@as.example/oauth2/token",
        "https://as.example./oauth2/token",
        "https://xn--as-.example/oauth2/token",
        " https://as.example/oauth2/token",
        "https://as.example/oauth2/token ",
        "https://as.example/oauth2\n/token",
        "https://as\t.example/oauth2/token",
        "https://as.example/oauth2/token\x00",
        "https://ａｓ.example/oauth2/token",
        "https://as.example:99999/oauth2/token",
        "https://as.example:x/oauth2/token",
        "https://[as.example/oauth2/token",
        "https://[::1/oauth2/token",
        "javascript:alert(1)",
        "\ud800",
    ],
)
def test_other_htu_is_refused(htu, check, build_dpop):
    assert_refused(check, build_dpop(htu=htu), "proof_htu" if htu else "proof_htu_not_text")


@pytest.mark.parametrize("url", ["https://user@api.example", "https://api.example:99999", "https://:443", "urn:api"])
def test_target_of_ours_that_is_no_http_url_matches_itself_only(url, check, build_dpop):
    """Two URLs that cannot be normalised are not equal for that."""
    assert check(build_dpop(htu=url), url=url)
    assert_refused(check, build_dpop(htu="nonsense"), "proof_htu", url=url)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://API.example", "https://api.example/"),
        ("http://127.0.0.1:80/", "http://127.0.0.1/"),
        ("http://127.0.0.1:5005/a", "http://127.0.0.1:5005/a"),
        ("https://[::1]:443/a", "https://[::1]/a"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("https://api.example/%7Eme/%3a%2d%5f", "https://api.example/~me/:-_"),
        ("https://api.example/a%20b%c3%a9", "https://api.example/a%20b%C3%A9"),
        ("https://api.example/%25%32%35", "https://api.example/%2525"),
    ],
)
def test_url_is_normalised(url, normal):
    assert normalize_htu(url) == normal
    assert normalize_htu(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://api.example",
        "https://",
        "https://user:word@api.example",
        "https://é",
        "https://api.example/100%",
        "https://api.example/%zz",
        "https://api.example/a\\b",
        "https://api%2eexample/",
    ],
)
def test_what_is_no_target_is_none(url):
    assert normalize_htu(url) is None
