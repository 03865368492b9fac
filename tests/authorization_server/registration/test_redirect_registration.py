"""What a client that acts for people registers: redirect URIs, response types, public clients."""

import flask
import pytest

from flask_private_key_jwt.authorization_server.registration.metadata import describe_client
from flask_private_key_jwt.errors import InvalidClientMetadata, InvalidRedirectURI


class Somebody:
    def get_id(self):
        return "somebody"


@pytest.fixture(autouse=True)
def people(oauth):
    oauth.user(lambda: Somebody() if flask.request else None)


@pytest.fixture
def add(register, client_key):
    """Register a valid client, changed."""

    def add(**changes):
        metadata = {
            "jwks": {"keys": [client_key.public_jwk()]},
            "grant_types": ["authorization_code"],
            "redirect_uris": ["https://app.example/callback"],
            **changes,
        }
        return register(**{name: value for name, value in metadata.items() if value is not None})

    return add


def refusal_of(add, kind=InvalidClientMetadata, **changes):
    with pytest.raises(kind) as caught:
        add(**changes)
    assert type(caught.value) is kind
    return caught.value.reason


def test_https_uri_is_kept_as_it_is(add):
    uri = "https://app.example:8443/a?b=c&d=%20"

    assert add(redirect_uris=[uri]).redirect_uris == (uri,)
    assert add(redirect_uris=[uri], application_type="native").redirect_uris == (uri,)


NATIVE = [
    "http://127.0.0.1/",
    "http://127.0.0.1:8000/a?b",
    "http://[::1]/",
    "http://localhost/",
    "http://localhost:8000/callback",
    "com.example.app:/callback",
]


def test_uri_of_a_device_is_for_native_clients(add):
    uri = "http://127.0.0.1:8000/a?b"

    assert add(redirect_uris=[uri], application_type="native").redirect_uris == (uri,)
    reason = refusal_of(add, InvalidRedirectURI, redirect_uris=[uri], application_type="web")
    assert "is not https; application_type native may" in reason


@pytest.mark.parametrize("application_type", ["web", "native"])
@pytest.mark.parametrize(
    "uri", ["", "https://app.example/#a", "http://app.example/", "https://app.example/" + "a" * 2048]
)
def test_uri_that_nobody_may_register_is_refused(uri, application_type, add):
    reason = refusal_of(add, InvalidRedirectURI, redirect_uris=[uri], application_type=application_type)

    assert reason.startswith(f"redirect_uris: {uri[:200]!r} ")


@pytest.mark.parametrize("uris", [None, [], "https://app.example/", {}, [5], [None], ["https://app.example/"] * 21])
def test_list_of_another_form_is_refused(uris, add):
    assert refusal_of(add, InvalidRedirectURI, redirect_uris=uris).startswith("redirect_uris is ")


@pytest.mark.parametrize("types", [["token"], ["code", "token"], [], "code", ["code id_token"]])
def test_response_types_that_do_not_fit_the_grant_types_are_refused(types, add):
    assert "is not ['code']" in refusal_of(add, response_types=types)


def test_response_types_without_the_code_grant_are_refused(add):
    assert "is not empty" in refusal_of(add, grant_types=["client_credentials"], response_types=["code"])


def test_refresh_token_goes_with_a_code(add):
    assert "goes with authorization_code" in refusal_of(add, grant_types=["refresh_token", "client_credentials"])


def test_what_is_registered_is_described_and_taken_back(add, app, oauth):
    client = add(application_type="native", require_pushed_authorization_requests=True, response_types=["code"])

    described = describe_client(client)

    assert described["redirect_uris"] == ["https://app.example/callback"]
    assert described["response_types"] == ["code"]
    assert described["application_type"] == "native"
    assert described["require_pushed_authorization_requests"] is True
    with app.app_context():
        assert describe_client(oauth.clients.update(client.client_id, {"client_name": "x"})) == {
            **described,
            "client_name": "x",
        }


# --- public clients -------------------------------------------------------------------------------------------
PUBLIC = {"token_endpoint_auth_method": "none", "jwks": None}


def test_public_client_has_no_keys_and_bound_tokens(add):
    client = add(**PUBLIC)

    assert client.is_public
    assert client.dpop_bound_access_tokens
    assert (client.jwks, client.jwks_uri) == (None, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"jwks": {"keys": []}}, "jwks is there, but"),
        ({"jwks_uri": "https://app.example/jwks"}, "jwks_uri is there, but"),
        ({"token_endpoint_auth_signing_alg": "ES256"}, "token_endpoint_auth_signing_alg is there, but"),
        ({"dpop_bound_access_tokens": False}, "dpop_bound_access_tokens is false, but"),
        ({"grant_types": ["client_credentials"], "redirect_uris": None}, "grant type 'client_credentials' is not for"),
        ({"grant_types": None}, "grant type 'client_credentials' is not for"),
    ],
)
def test_public_client_with_anything_of_a_confidential_one_is_refused(change, reason, add):
    assert refusal_of(add, **{**PUBLIC, **change}).startswith(reason)


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2", "OAUTH2_REPLAY_STORE": "sql"}])
def test_fapi2_has_no_public_and_no_compatibility_clients(add):
    assert "'none' is not supported" in refusal_of(add, **PUBLIC)
    assert "contradicts OAUTH2_PROFILE = 'fapi2'" in refusal_of(add, assertion_audience="compatibility")
    assert add().redirect_uris


# --- native applications that do not say so -------------------------------------------------------------------
@pytest.mark.parametrize("uri", NATIVE)
def test_client_whose_uris_are_all_on_the_device_is_a_native_one(uri, add):
    client = add(redirect_uris=[uri, "http://127.0.0.1:4711/other"])

    assert client.application_type == "native"
    assert describe_client(client)["application_type"] == "native"
    assert add(redirect_uris=["https://app.example/", "https://localhost/"]).application_type == "web"


def test_client_with_a_place_on_the_web_has_to_say_that_it_is_native(add):
    uris = ["http://127.0.0.1/", "https://app.example/callback"]

    reason = refusal_of(add, InvalidRedirectURI, redirect_uris=uris)
    assert "'http://127.0.0.1/' is not https; application_type native may" in reason
    assert add(redirect_uris=uris, application_type="native").redirect_uris == tuple(uris)


def test_port_of_localhost_may_differ_for_a_native_client(add):
    client = add(redirect_uris=["http://localhost:8000/cb"])

    assert client.has_redirect_uri("http://localhost:52123/cb")
    assert not client.has_redirect_uri("http://127.0.0.1:8000/cb")


def test_places_after_sign_out_are_on_the_device_too(add):
    places = ["http://localhost:3000/bye", "com.example.app:/bye"]

    client = add(redirect_uris=["http://localhost/cb"], post_logout_redirect_uris=places)

    assert client.post_logout_redirect_uris == tuple(places)
    assert client.has_post_logout_redirect_uri("http://localhost:1/bye")
    reason = refusal_of(add, post_logout_redirect_uris=places)
    assert reason.startswith("post_logout_redirect_uris: 'http://localhost:3000/bye' is not https")


@pytest.mark.parametrize("grant_types", [5, True, {"authorization_code": 1}])
def test_public_client_whose_grant_types_are_no_list_is_refused(grant_types, add):
    assert "grant_types is not a list" in refusal_of(add, **PUBLIC, grant_types=grant_types)


# --- https or loopback, whatever kind the client says it is ---------------------------------------------------
ANY_KIND = [{"OAUTH2_ALLOWED_REDIRECTS": "https_or_loopback"}]


@pytest.mark.parametrize("settings", ANY_KIND)
@pytest.mark.parametrize("application_type", [None, "web", "native"])
def test_loopback_goes_beside_https_at_any_port_for_every_kind_of_client(application_type, add, settings):
    uris = ["http://127.0.0.1:33418/", "http://localhost/cb", "http://[::1]/", "https://app.example/callback"]
    client = add(redirect_uris=uris, application_type=application_type)

    assert (client.redirect_uris, client.application_type) == (tuple(uris), "native")
    for uri in ("http://127.0.0.1:5/", "http://localhost:5/cb", "http://[::1]:5/", "https://app.example/callback"):
        assert client.has_redirect_uri(uri)
    for uri in ("http://127.0.0.1:5/cb", "http://localhost:5/", "https://app.example:8443/callback"):
        assert not client.has_redirect_uri(uri)


@pytest.mark.parametrize("settings", ANY_KIND)
@pytest.mark.parametrize("application_type", [None, "web", "native"])
@pytest.mark.parametrize(
    "uri", ["com.example.app:/callback", "http://app.example/", "http://127.0.0.2/", "http://localhost.evil.example/"]
)
def test_what_is_neither_https_nor_loopback_is_refused_for_every_kind_of_client(uri, application_type, add, settings):
    reason = refusal_of(add, InvalidRedirectURI, redirect_uris=[uri], application_type=application_type)

    assert reason.startswith(f"redirect_uris: {uri!r} is ")
    assert add(redirect_uris=["https://app.example/"], application_type=application_type)


@pytest.mark.parametrize("settings", ANY_KIND)
def test_kind_that_a_client_says_stays_where_nothing_is_on_loopback(add, settings):
    assert add(application_type="native").application_type == "native"
    assert add(application_type="web").application_type == "web"
    assert add().application_type == "web"
    assert "application_type 5 is not supported" in refusal_of(add, application_type=5).replace("'", "")


@pytest.mark.parametrize("application_type", [None, "web"])
def test_loopback_beside_https_is_for_native_clients_only_without_the_setting(application_type, add):
    uris = ["http://127.0.0.1:33418/", "https://app.example/callback"]

    assert "is not https" in refusal_of(add, InvalidRedirectURI, redirect_uris=uris, application_type=application_type)
