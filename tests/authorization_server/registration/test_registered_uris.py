"""Pages about a client that may be registered, and what a browser would run or not find."""

import pytest

from flask_private_key_jwt.authorization_server.registered_uris import check_page, find_picture_origin


@pytest.mark.parametrize(
    "uri",
    [
        "https://console.example",
        "http://console.example/a?b#c",
        "https://xn--bcher-kva.example/%C3%A4",
        "https://[2001:db8::1]:8443/a;b=c,d'(e)*!$&+@",
    ],
)
def test_page_is_accepted(uri):
    check_page(uri)


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
        'https://console.example/"onmouseover="alert(1)',
        "https://console.example/<b>",
        "https://console.example/a\\b",
        "https://console.example/a|b^c`d{e}",
        "https://console.example/100%",
        "https://console.example/%zz",
        "https://console.example:99999/",
        "https://[::1]console.example/",
        "https://bücher.example/",
        "https://console.example/\u202e",
        "https://bank.example@console.example/",
        "https://bank.example%2econsole.example/",
    ],
)
def test_page_that_a_browser_would_run_or_not_find_is_refused(uri):
    with pytest.raises(ValueError) as refused:
        check_page(uri)
    assert str(refused.value) == f"{uri!r} is not the URL of a web page"


@pytest.mark.parametrize("rest", ["", "/", "/logo.png?a=1", "?a=1", "#a"])
def test_origin_of_a_picture_ends_with_the_host(rest):
    assert find_picture_origin(f"https://cdn.app.example:8443{rest}") == "https://cdn.app.example:8443"


@pytest.mark.parametrize(
    "uri",
    [
        "http://cdn.app.example/logo.png",
        "https://cdn.app.example;script-src/logo.png",
        "https://cdn.app.example,*/logo.png",
        "https://cdn.app.example'/logo.png",
        "https://user@cdn.app.example/logo.png",
        "https://*/logo.png",
        "https://[::1]/logo.png",
        "https://münchen.example/logo.png",
        "https:///logo.png",
    ],
)
def test_picture_whose_host_no_policy_can_name_has_no_origin(uri):
    assert find_picture_origin(uri) is None
