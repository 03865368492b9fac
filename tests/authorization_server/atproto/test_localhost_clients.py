"""Clients in development: the client_id is http://localhost with a query, and nothing is fetched."""

from urllib.parse import urlencode

import pytest

from flask_private_key_jwt.authorization_server.registration.localhost_client import read_localhost_client
from tests.authorization_server.atproto.conftest import ALICE
from tests.conftest import INVALID_CLIENT
from tests.refusals import causes

SCOPES = ("atproto", "transition:generic")
CALLBACK = "http://127.0.0.1/callback"


def build_id(**parameters):
    return f"http://localhost?{urlencode(parameters, doseq=True)}"


@pytest.fixture
def build_local(build_client):
    """A client of this client_id; its browser listens at a port."""

    def build_local(client_id, callback="http://127.0.0.1:4711/"):
        return build_client(client_id=client_id, callback=callback, public=True)

    return build_local


# --- what the client_id says -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "client_id", ["http://localhost", "http://localhost/", "http://localhost?", "http://localhost/?"]
)
def test_client_without_a_query_has_the_defaults(client_id):
    client = read_localhost_client(client_id, scopes=SCOPES)

    assert (client.client_id, client.scope) == (client_id, {"atproto"})
    assert client.redirect_uris == ("http://127.0.0.1/", "http://[::1]/")
    assert (client.is_public, client.application_type, client.dpop_bound_access_tokens) == (True, "native", True)
    assert client.grant_types == {"authorization_code", "refresh_token"}
    assert client.registered_by == "document"


def test_query_names_redirect_uris_and_the_scope():
    uris = ["http://127.0.0.1:8080/a?b=c", "http://[::1]/d"]
    client = read_localhost_client(build_id(redirect_uri=uris, scope="atproto transition:generic"), scopes=SCOPES)

    assert (client.redirect_uris, client.scope) == (tuple(uris), set(SCOPES))


def test_scope_that_strangers_do_not_get_is_left_out():
    assert read_localhost_client(build_id(scope="atproto admin"), scopes=SCOPES).scope == {"atproto"}


@pytest.mark.parametrize(
    ("client_id", "says"),
    [
        ("http://localhost:80", "it has a port, a path or another host"),
        ("http://localhost:8080/?scope=atproto", "it has a port, a path or another host"),
        ("http://localhost/client.json", "it has a port, a path or another host"),
        ("http://localhost//", "it has a port, a path or another host"),
        ("http://localhost/.?scope=atproto", "it has a port, a path or another host"),
        ("http://localhost.evil.example/?scope=atproto", "it has a port, a path or another host"),
        ("http://localhost@evil.example/?scope=atproto", "it has a port, a path or another host"),
        ("http://localhost\\@evil.example/", "it has a port, a path or another host"),
        ("http://localhost#?scope=atproto", "it has a port, a path or another host"),
        ("http://localhost?scope=atproto#x", "it is not a URL without a fragment"),
        ("http://localhost?scope=atproto x", "it is not a URL without a fragment"),
        ("http://localhost?scope=atproto&scope=atproto", "its query has two scopes"),
        ("http://localhost?scope=", "its scope does not hold 'atproto'"),
        ("http://localhost?scope=transition:generic", "its scope does not hold 'atproto'"),
        ("http://localhost?scope=ATPROTO", "its scope does not hold 'atproto'"),
        ("http://localhost?client_name=Your+Bank", "its query has the parameter 'client_name'"),
        ("http://localhost?redirect_uris=http://127.0.0.1/", "its query has the parameter 'redirect_uris'"),
        ("http://localhost?scope=%ff", "utf-8"),
        ("http://localhost?scope", "bad query field"),
        ("http://localhost?&&&", "bad query field"),
        (build_id(redirect_uri=[CALLBACK] * 22), "Max number of fields exceeded"),
    ],
)
def test_any_other_client_id_is_no_client(client_id, says):
    with pytest.raises(ValueError, match=says):
        read_localhost_client(client_id, scopes=SCOPES)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://127.0.0.1/callback",
        "http://localhost/callback",
        "http://localhost:8080/callback",
        "http://127.0.0.2/callback",
        "http://127.1/callback",
        "http://2130706433/callback",
        "http://[::ffff:127.0.0.1]/callback",
        "http://0.0.0.0/callback",
        "http://evil.example/callback",
        "https://evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://evil.example#@127.0.0.1/",
        "http://127.0.0.1/callback#fragment",
        "com.example.app:/callback",
        "javascript:alert(1)",
        "//127.0.0.1/callback",
    ],
)
def test_answer_goes_to_no_other_place_than_this_device(uri):
    with pytest.raises(ValueError, match=r"a redirect_uri is not http on 127\.0\.0\.1 or \[::1\]"):
        read_localhost_client(build_id(redirect_uri=[CALLBACK, uri]), scopes=SCOPES)


# --- over HTTP ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("client_id", "callback"),
    [
        ("http://localhost", "http://127.0.0.1:4711/"),
        ("http://localhost/", "http://[::1]:4711/"),
        (build_id(redirect_uri=CALLBACK), "http://127.0.0.1:4711/callback"),
        (build_id(redirect_uri="http://127.0.0.1:8080/callback"), "http://127.0.0.1:4711/callback"),
    ],
)
def test_person_signs_in_to_a_client_in_development_and_nothing_is_fetched(build_local, network, client_id, callback):
    client = build_local(client_id, callback)
    tokens = client.sign_in(scope="atproto")

    assert (tokens["sub"], tokens["scope"]) == (ALICE, "atproto")
    assert client.refresh(tokens).status_code == 200
    assert network.lookups == []


@pytest.mark.parametrize(
    "callback",
    [
        "http://127.0.0.1:4711/other",
        "http://localhost:4711/callback",
        "http://[::1]:4711/callback",
        "https://a.example/",
    ],
)
def test_only_the_port_of_a_redirect_uri_may_differ(build_local, refusals, callback):
    client = build_local(build_id(redirect_uri=CALLBACK), callback)

    assert client.push(scope="atproto").json["error"] == "invalid_request"
    assert causes(refusals) == ["redirect_uri_not_registered"]


def test_scope_is_no_more_than_the_client_id_says(build_local, refusals):
    client = build_local("http://localhost")

    assert client.push(scope="atproto transition:generic").json["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_not_registered"]


@pytest.mark.parametrize(
    "client_id",
    [
        "http://127.0.0.1?scope=atproto",
        "http://[::1]/?scope=atproto",
        "https://localhost?scope=atproto",
        "https://localhost/client.json",
        "HTTP://localhost",
        "http://LOCALHOST",
        "http://localhost:8080",
        "http://localhost.evil.example",
        "http://localhost?scope=transition:generic",
        "http://localhost?scope=atproto&scope=atproto",
        build_id(redirect_uri="https://evil.example/"),
        build_id(redirect_uri=[f"http://127.0.0.1/{'x' * 240}"]),
        build_id(redirect_uri=["http://127.0.0.1/"] * 500),
    ],
)
def test_hostile_client_id_is_unknown_and_nothing_is_fetched(build_local, network, refusals, browser, client_id):
    client = build_local(client_id)

    assert client.push(scope="atproto").json == INVALID_CLIENT
    assert browser.open({"client_id": client_id, "request_uri": "x"}).status_code == 400
    assert causes(refusals) == ["client_unknown"] * 2
    assert network.lookups == []


def test_log_says_why_a_client_in_development_is_unknown(build_local, caplog):
    caplog.set_level("INFO", logger="flask_private_key_jwt")
    build_local("http://localhost:8080").push(scope="atproto")

    assert "'http://localhost:8080' is no client in development: it has a port, a path or another host" in caplog.text


def test_person_sees_the_whole_client_id_and_is_asked_each_time(build_local):
    client = build_local(build_id(redirect_uri=CALLBACK), "http://127.0.0.1:4711/callback")
    client.get_code(scope="atproto")
    page = client.open(client.push(scope="atproto"))

    assert page.status_code == 200
    assert client.client_id in page.text


def test_token_of_a_client_in_development_counts_at_an_api_of_the_same_app(build_local, app):
    state = app.extensions["private_key_jwt"]
    with app.test_request_context():
        assert state.server.clients.is_admitted("http://localhost")
        assert not state.server.clients.is_admitted("http://localhost:8080")


def test_operator_may_block_a_client_in_development(build_local, register, refusals):
    register(
        client_id="http://localhost",
        token_endpoint_auth_method="none",
        application_type="native",
        grant_types=["authorization_code"],
        redirect_uris=["http://127.0.0.1/"],
        scope="atproto",
        enabled=False,
    )

    assert build_local("http://localhost").push(scope="atproto").json == INVALID_CLIENT
    assert causes(refusals) == ["client_disabled"]
    assert build_local("http://localhost/").push(scope="atproto").status_code == 201


@pytest.fixture
def without_development(settings):
    settings["OAUTH2_LOCALHOST_CLIENT_IDS"] = False


@pytest.mark.usefixtures("without_development")
def test_server_may_take_no_clients_in_development(build_local, refusals):
    assert build_local("http://localhost").push(scope="atproto").json == INVALID_CLIENT
    assert causes(refusals) == ["client_unknown"]
