"""The one URL parser: what it parses, what it refuses, and different spellings of one server."""

import pytest

from flask_private_key_jwt.web.url import URL, BadURL, find_url, find_web_url, read_proxy_url, read_url

CHARACTER = "holds a character that no URL has"
NOT_ABSOLUTE = "must be an absolute URL"
HOST = "has a host that is neither a name nor an IP address"
PORT = "has a port that is not a number up to 65535"
USER = "holds a user name"


def refusal_of(text, **options):
    with pytest.raises(BadURL) as refused:
        read_url(text, **options)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://a.example", ("https", "a.example", "a.example", None, "", None, None)),
        ("HTTPS://A.example:444/B?c#d", ("https", "A.example:444", "a.example", 444, "/B", "c", "d")),
        ("https://a.example:/?#", ("https", "a.example:", "a.example", None, "/", "", "")),
        ("https://a_b.example./", ("https", "a_b.example.", "a_b.example.", None, "/", None, None)),
        ("http://[::1]:80/", ("http", "[::1]:80", "::1", 80, "/", None, None)),
        ("http://[2001:DB8::1]/", ("http", "[2001:DB8::1]", "2001:db8::1", None, "/", None, None)),
        ("https://a.example?b=//c@d", ("https", "a.example", "a.example", None, "", "b=//c@d", None)),
        ("https://a.example/b@c:d//e?f?g#h#", ("https", "a.example", "a.example", None, "/b@c:d//e", "f?g", "h#")),
        ("https://a.example/%C3%A4;b=[c]", ("https", "a.example", "a.example", None, "/%C3%A4;b=[c]", None, None)),
        ("urn:example:api", ("urn", "", "", None, "example:api", None, None)),
        ("com.example.app:/callback", ("com.example.app", "", "", None, "/callback", None, None)),
        ("com.example.app:///callback", ("com.example.app", "", "", None, "/callback", None, None)),
        ("api://client-1", ("api", "client-1", "client-1", None, "", None, None)),
    ],
)
def test_url_is_taken_apart(text, parts):
    assert read_url(text) == find_url(text) == URL(*parts)


@pytest.mark.parametrize("character", [*'\t\n\r \x00\x1f\x7f"<>\\^`{|}', "é", "\u202e", "\ud800", "。", "％"])
def test_character_that_no_url_has_is_refused_wherever_it_stands(character):
    for text in (
        f"{character}https://a.example/",
        f"https{character}://a.example/",
        f"https://a{character}.example/",
        f"https://a.example:4{character}3/",
        f"https://a.example/{character}",
        f"https://a.example/?{character}",
        f"https://a.example/#{character}",
        f"https://a.example{character}",
    ):
        assert refusal_of(text) == CHARACTER
        assert find_url(text) is None


@pytest.mark.parametrize("escape", ["%", "%2", "%zz", "%%41", "%u0041"])
def test_escape_that_is_not_whole_is_refused(escape):
    assert read_url("https://a.example/%41").path == "/%41"
    assert refusal_of(f"https://a.example/{escape}") == CHARACTER


@pytest.mark.parametrize("text", ["", "a.example", "/a", "//a.example/", ":a", "1http://a.example", "-a://b", "?a:b"])
def test_text_without_a_scheme_is_refused(text):
    assert refusal_of(text) == NOT_ABSOLUTE


@pytest.mark.parametrize("user", ["u@", "u:p@", "@", ":@", "bank.example@", "a.example:443@", "u%40:p@"])
def test_user_name_is_refused(user):
    assert refusal_of(f"https://{user}a.example/") == USER


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        ".a.example",
        "a.example..",
        "a.example%2eb.example",
        "%61.example",
        "*.example",
        "a,b.example",
        "a;b.example",
        "a'b.example",
        ":443",
        "[::1",
        "::1]",
        "::1",
        "[::1]x",
        "x[::1]",
        "[[::1]",
        "[[::1]]",
        "[]",
        "[::1].example",
        "[127.0.0.1]",
        "[1::2::3]",
        "[2606::g]",
        "[v1.x]",
        "[fe80::1%25eth0]",
    ],
)
def test_host_that_is_neither_a_name_nor_an_address_is_refused(host):
    assert refusal_of(f"https://{host}/") == HOST


@pytest.mark.parametrize("port", ["x", "-1", "+443", " 443", "65536", "99999", "100000", "4_43", "0x1", "443:443"])
def test_port_that_is_none_is_refused(port):
    assert refusal_of(f"https://a.example:{port}/") in (PORT, CHARACTER)


@pytest.mark.parametrize("port", [0, 1, 65535])
def test_port_is_a_number(port):
    assert read_url(f"https://a.example:{port}/").port == port


def test_other_letters_in_a_host_are_for_those_who_make_a_labels_of_it():
    assert refusal_of("https://bücher.example/") == CHARACTER
    assert read_url("https://Bücher.example:8443/a", international=True).host == "bücher.example"
    for text in ("https://bücher.example/é", "https://b.example/?é", "https://b.example/#é", "é://b", "https://b/%é41"):
        assert refusal_of(text, international=True) in (CHARACTER, NOT_ABSOLUTE)


# --- spellings ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("HTTPS://A.EXAMPLE:443/b", "https://a.example"),
        ("https://a.example:/b", "https://a.example"),
        ("https://a.example:0443", "https://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_origin_has_one_spelling(text, origin):
    assert read_url(text).origin == origin


@pytest.mark.parametrize("text", ["https://a.example", "http://a.example:8080/b"])
def test_http_urls_are_of_the_web(text):
    assert find_web_url(text) == read_url(text)


@pytest.mark.parametrize("text", ["https:", "https:///a", "https:a", "ftp://a.example", "urn:a", "file:///a", "x"])
def test_what_has_no_host_or_another_scheme_is_not_of_the_web(text):
    assert find_web_url(text) is None


# --- https, or http on loopback: said here only ---------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    ["https://a.example", "http://127.0.0.1", "http://localhost:5001", "http://LOCALHOST/", "http://[::1]:5001/a?b"],
)
def test_https_and_http_on_loopback_are_protected(text):
    read_url(text).check_protected()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http://a.example", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("http://127.0.0.2", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("http://localhost.", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("http://127.0.0.1.a.example", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("http://[::ffff:127.0.0.1]", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("ftp://127.0.0.1", "must be an absolute https URL"),
        ("https:///a", "must be an absolute https URL"),
        ("urn:a", "must be an absolute https URL"),
    ],
)
def test_anything_else_is_not(text, sentence):
    with pytest.raises(BadURL) as refused:
        read_url(text).check_protected()
    assert str(refused.value) == sentence


# --- proxies --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("https://u:p@proxy.example", "proxy.example"),
        ("http://u:p@ss@proxy.example", "proxy.example"),
        ("http://u:p|^{}%zz@proxy.example:1/", "proxy.example:1"),
        ("socks5h://[::1]:1080", "[::1]:1080"),
    ],
)
def test_proxy_may_want_a_user_name(text, authority):
    assert read_proxy_url(text).authority == authority


@pytest.mark.parametrize(
    "text",
    [
        "",
        "proxy.example:3128",
        "ftp://u:secret@proxy.example",
        "http://",
        "http://u:secret@",
        "http://u:secret@h:x",
        "http://u:secret@h:0",
        "http://u:sec/ret@h:1",
        "http://u:80/secret@h:1",
        "http://u:80?secret@h:1",
        "http://u:80#secret@h:1",
        "http://[::secret",
    ],
)
def test_what_is_no_proxy_is_refused_without_being_quoted(text):
    with pytest.raises(BadURL) as refused:
        read_proxy_url(text)
    assert str(refused.value) == "must be the URL of a proxy, such as http://proxy.example:3128"
