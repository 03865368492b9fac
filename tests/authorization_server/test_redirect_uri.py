"""redirect_uri.py: which redirect URIs a client may register, and which URIs match a registered one."""

import pytest

from flask_private_key_jwt.authorization_server.redirect_uri import check_redirect_uri, is_on_device, is_registered


def fault_of(uri, **options):
    with pytest.raises(ValueError) as caught:
        check_redirect_uri(uri, **options)
    return str(caught.value)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example",
        "https://app.example/",
        "https://app.example:8443/a?b=c&d=%20",
        "https://xn--bcher-kva.example/",
        "https://[2001:db8::1]/",
    ],
)
def test_https_uri_is_for_every_client(uri, native):
    check_redirect_uri(uri, native=native)

    assert is_registered(uri, [uri], native=native)
    assert not is_on_device(uri)


NATIVE = [
    "http://127.0.0.1/",
    "http://127.0.0.1:8000/a?b",
    "http://[::1]/",
    "http://localhost/",
    "http://localhost:8000/callback",
    "com.example.app:/callback",
]


@pytest.mark.parametrize("uri", NATIVE)
def test_uri_of_a_device_is_for_native_clients(uri):
    check_redirect_uri(uri, native=True)

    assert is_on_device(uri)
    assert fault_of(uri, native=False).startswith("is not https; application_type native may")


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/callback",
        "app.example",
        "//app.example/",
        "https:///a",
        "https:a",
        "https://app.example/#",
        "https://app.example/#a",
        "https://user@app.example/",
        "https://bank.example%2eevil.example/",
        "https://app.example/*",
        "https://*.example/",
        "https://app.example/ a",
        "https://app.example/\n",
        "https://app.example/é",
        'https://app.example/"',
        "https://app.example/\\",
        "https://app.example:99999/",
        "https://[::1/",
        "https://[::1]app.example/",
        "https://app..example/",
        "https://app.example/100%",
        "https://app.example/" + "a" * 2048,
        "http://app.example/",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://0.0.0.0/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "myapp:/callback",
        "com.example.app://host/callback",
    ],
)
def test_other_uri_is_refused(uri, native):
    assert fault_of(uri, native=native)


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("com.example.app://callback", "names a host after its own scheme: one slash, not two"),
        ("com.example.app://callback/", "names a host after its own scheme: one slash, not two"),
        ("http://localhost:99999/", "has a port that is not a number up to 65535"),
        ("http://127.0.0.1:0/#a", "is not a URI without a fragment"),
    ],
)
def test_reason_names_the_fault_of_a_uri_on_the_device(uri, fault):
    assert fault_of(uri, native=True).startswith(fault)


@pytest.mark.parametrize("uri", ["com.example.app:/callback", "myapp:/callback"])
def test_private_scheme_is_refused_where_only_loopback_is_open(uri):
    assert fault_of(uri, native=True, private_schemes=False) == (
        "is neither https nor http on 127.0.0.1, [::1] or localhost"
    )


@pytest.mark.parametrize("uri", ["http://localhost:0/cb", "http://localhost:52123/cb", "http://localhost/cb"])
def test_port_of_localhost_may_differ_for_a_native_client(uri):
    registered = ["http://localhost:8000/cb"]

    assert is_registered(uri, registered, native=True)
    assert not is_registered(uri, registered, native=False)
    for other in ("http://127.0.0.1:8000/cb", "http://localhost:8000/cb2", "http://localhost.evil.example/cb"):
        assert not is_registered(other, registered, native=True)
