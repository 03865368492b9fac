"""Row L7 and L15: redirect URIs and pages that may be registered, each rule with the case beyond it."""

import pytest

from flask_private_key_jwt.errors import InvalidClientMetadata, InvalidRedirectURI
from flask_private_key_jwt.registered_uris import check_page, check_redirect_uris


@pytest.mark.parametrize(
    "uri",
    [
        "https://console.example",
        "https://console.example/",
        "https://console.example:8443/back",
        "https://Console.Example/Back?a=b&c=%20d",
        "http://127.0.0.1:4180/back",
        "http://[::1]/back",
        "http://localhost:4180/back?a",
        "https://console.example/" + "x" * 2024,
    ],
)
def test_redirect_uri_is_kept_as_it_is(uri):
    assert check_redirect_uris([uri]) == [uri]


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "console.example/back",
        "//console.example/back",
        "/back",
        "http://console.example/back",
        "http://127.0.0.1.evil.example/back",
        "https:///back",
        "https://",
        "https://console.example/back#",
        "https://console.example/back?a=b#c",
        "https://user@console.example/back",
        "https://127.0.0.1@evil.example/back",
        "https://*.console.example/back",
        "https://console.example/*",
        "https://console.example/back?next=*",
        "https://console.example:port/back",
        "https://console.example/b ack",
        "https://console.example/back?a= b",
        "https://console.example/back\n",
        "https://console.example/bäck",
        "https://console.example/back?ä",
        "https://console.example\\@evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/back",
        "urn:ietf:wg:oauth:2.0:oob",
        "https://[::1/back",
        "https://console.example/\ud800",
        "https://console.example/" + "x" * 2025,
    ],
)
def test_redirect_uri_that_could_lead_elsewhere_is_refused(uri):
    with pytest.raises(InvalidRedirectURI):
        check_redirect_uris(["https://console.example/back", uri])


@pytest.mark.parametrize("uris", ["https://console.example/back", {}, 5, [5], [None], [["https://console.example"]]])
def test_what_is_no_list_of_texts_is_refused(uris):
    with pytest.raises(InvalidRedirectURI):
        check_redirect_uris(uris)


def test_redirect_uris_are_at_most_twenty():
    uris = [f"https://console.example/{number}" for number in range(20)]

    assert check_redirect_uris(uris) == uris
    with pytest.raises(InvalidRedirectURI):
        check_redirect_uris([*uris, "https://console.example/20"])


@pytest.mark.parametrize("uri", ["https://console.example", "http://console.example/a?b#c", "https://bücher.example/ä"])
def test_page_is_accepted(uri):
    check_page("client_uri", uri)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "ftp://console.example",
        "console.example",
        "https:",
        "https://",
        "https://[",
        "https://console.example/ x",
        "https://console.example/\n",
        " https://console.example/",
    ],
)
def test_page_that_a_browser_would_run_or_not_find_is_refused(uri):
    with pytest.raises(InvalidClientMetadata) as refused:
        check_page("logo_uri", uri)
    assert refused.value.reason == f"logo_uri {uri!r} is not the URL of a web page"
