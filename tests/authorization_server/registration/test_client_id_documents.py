"""Clients whose client_id is the URL of their registration: from the document to the token."""

import functools
import json
import logging

import pytest

from flask_private_key_jwt.authorization_server import client_documents
from flask_private_key_jwt.authorization_server.registration.client_id_document import is_client_id_url, read_client
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.conftest import API, INVALID_CLIENT, ISSUER, close, make_app
from tests.refusals import causes
from tests.servers.https_servers import ADDRESS, HOST, answer

URL = f"https://{HOST}/client.json"
KEYS_URL = f"https://{HOST}/jwks.json"
SERVED = ["client_credentials"]
METADATA = "/.well-known/oauth-authorization-server"
ON = {
    "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": True,
    "OAUTH2_CLIENT_ID_HOSTS": [HOST],
    "OAUTH2_CLIENT_ID_SCOPES": ["read", "write"],
}


@pytest.fixture
def settings_hosts():
    """The hosts that may be named; a test overrides it by parametrizing ``settings_hosts``."""
    return [HOST]


@pytest.fixture
def settings(authority, settings_hosts):
    # The clients of this file act for themselves, which those of every host may do only if the setting names the grant.
    named = {"OAUTH2_REGISTRATION_GRANT_TYPES": ["client_credentials"]} if "*" in settings_hosts else {}
    return {**ON, **named, "OAUTH2_CLIENT_ID_HOSTS": settings_hosts, "OAUTH2_FETCH_CA_BUNDLE": authority.bundle}


@pytest.fixture(autouse=True)
def _loopback_only(network, monkeypatch):
    fetcher = functools.partial(SafeFetcher, resolve=network.resolve, connect=network.connect)
    monkeypatch.setattr(client_documents, "SafeFetcher", fetcher)


@pytest.fixture
def document(client_key):
    return {
        "client_id": URL,
        "client_name": "Example",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "scope": "read",
        "jwks": {"keys": [client_key.public_jwk()]},
    }


@pytest.fixture
def build_settings():
    return lambda **changes: read({"OAUTH2_ISSUER": ISSUER, **ON, **changes}, ServerSettings)


@pytest.fixture
def publish(site, document):
    """Put the document at the client's URL, changed; ``None`` leaves a member out."""

    def publish(**changes):
        members = {name: value for name, value in {**document, **changes}.items() if value is not None}
        site.pieces = answer(json.dumps(members).encode())

    publish()
    return publish


@pytest.fixture
def client():
    """Nobody is registered."""


@pytest.fixture
def ask(ask_token, build_assertion):
    """A valid request of the document's client."""

    def ask(client_id=URL, scope="read", proof=None, **assertion):
        token = build_assertion(**{"iss": client_id, "sub": client_id, **assertion})
        return ask_token(assertion=token, scope=scope, proof=proof)

    return ask


def assert_refused(answer, refusals, cause, *, says=""):
    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert causes(refusals) == [cause], refusals
    assert says in refusals[0]


def paths(site):
    return [request.split(" ")[1] for request in site.requests]


# --- the document is the registration ---------------------------------------------------------------------
def test_client_is_authenticated_by_the_keys_in_its_document(publish, ask, site):
    assert ask().json["scope"] == "read"
    assert ask().status_code == 200
    assert paths(site) == ["/client.json"]


def test_keys_may_be_at_a_url_that_the_document_names(publish, ask, site, network, serve, authority, client_key):
    publish(jwks=None, jwks_uri="https://keys.other.example/jwks.json")
    network.names["keys.other.example"] = [["93.184.215.99"]]
    keys = serve(authority.server_context("keys.other.example"), address="93.184.215.99")
    keys.pieces = answer(json.dumps({"keys": [client_key.public_jwk()]}).encode())

    assert ask().status_code == 200
    assert (paths(site), paths(keys)) == (["/client.json"], ["/jwks.json"])


def test_own_grants_of_the_application_are_left_out(build_settings, document):
    served = [*SERVED, "urn:example:own"]
    wished = {**document, "grant_types": ["client_credentials", "urn:example:own"]}
    named = build_settings(OAUTH2_REGISTRATION_GRANT_TYPES=["urn:example:own"])

    client = read_client(URL, wished, settings=build_settings(), grant_types=lambda: served)
    assert (client.grant_types, client.registered_by) == ({"client_credentials"}, "document")
    assert read_client(URL, wished, settings=named, grant_types=lambda: served).grant_types == set(
        wished["grant_types"]
    )
    only_own = {**document, "grant_types": ["urn:example:own"]}
    with pytest.raises(ValueError, match="none of its grant_types is served here"):
        read_client(URL, only_own, settings=build_settings(), grant_types=lambda: served)


def test_document_may_name_what_only_other_servers_do(publish, ask, refusals, clock):
    publish(userinfo_signed_response_alg="ES256", backchannel_logout_uri="https://example.com/out")
    assert ask().status_code == 200
    publish(id_token_encrypted_response_alg="RSA-OAEP")
    clock.move(600 + 3600)

    assert_refused(ask(), refusals, "client_unknown", says=f"client {URL!r} is not registered")


def test_document_that_is_too_large_is_refused(build_settings, document):
    small = build_settings(OAUTH2_REGISTRATION_MAX_BYTES=4096)
    large = {**document, "contacts": ["x" * 2000, "y" * 2000]}

    assert read_client(URL, large, settings=build_settings(), grant_types=lambda: SERVED)
    with pytest.raises(ValueError, match="bytes, and at most 4096 are kept"):
        read_client(URL, large, settings=small, grant_types=lambda: SERVED)


def test_of_the_keys_in_a_document_known_members_are_kept(build_settings, document):
    padded = {**document, "jwks": {"keys": [{**document["jwks"]["keys"][0], "padding": "x" * 9000}]}}

    client = read_client(URL, padded, settings=build_settings(), grant_types=lambda: SERVED)

    assert client.jwks == document["jwks"]


def test_document_is_advertised_as_a_way_in(app):
    assert app.test_client().get(METADATA).json["client_id_metadata_document_supported"] is True


def test_changed_document_counts_when_the_kept_one_is_due(publish, ask, refusals, clock):
    ask()
    publish(client_id="https://other.example/client.json")
    clock.move(599)
    assert ask().status_code == 200
    clock.move(1 + 3600)

    assert_refused(ask(), refusals, "client_unknown", says=f"client {URL!r} is not registered")


def test_new_key_in_the_document_is_found_when_the_cooldown_is_over(publish, ask, keys, refusals, site, clock):
    new_key = keys("ES256", "new")
    ask()
    publish(jwks={"keys": [new_key.public_jwk()]})
    assert_refused(ask(key=new_key), refusals, "assertion_no_key")
    clock.move(30)

    assert ask(key=new_key).status_code == 200
    assert ask().json == INVALID_CLIENT
    assert len(site.requests) == 2


def test_key_that_is_unknown_leaves_the_document_in_force(publish, ask, site, refusals, clock):
    ask()
    clock.move(30)
    site.pieces = answer(b"", status="500 Oh")

    assert_refused(ask(header={"kid": "unknown"}), refusals, "assertion_no_key")
    assert ask().status_code == 200


def test_tokens_count_while_the_host_is_trusted_and_nothing_is_fetched_to_know(
    publish, ask, site, app, oauth, register, introspect, client_key, refusals, clock
):
    register(client_id="api", jwks={"keys": [client_key.public_jwk()]}, introspection_resources=[API])
    token = ask().json["access_token"]
    site.pieces = answer(b"", status="500 Oh")
    clock.move(599)
    assert introspect(token, by="api").json["active"] is True
    assert paths(site) == ["/client.json"]

    register(client_id=URL, jwks={"keys": [client_key.public_jwk()]}, enabled=False)  # goes before the document

    assert introspect(token, by="api").json == {"active": False}
    assert refusals == [f"client {URL!r} is removed or disabled"]
    assert causes(refusals) == ["client_gone"]


# --- what such a client may do ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wished", "asked", "status"),
    [
        ("read", "read", 200),
        ("read", "write", 400),
        ("read admin atproto", "read", 200),
        ("read admin", "admin", 400),
        (None, "read write", 200),
        (None, "admin", 400),
        ("admin", "admin", 400),
        ("read", None, 200),
    ],
)
def test_scopes_are_those_of_the_document_that_the_settings_give(wished, asked, status, publish, ask):
    publish(scope=wished)

    assert ask(scope=asked).status_code == status


def test_document_that_writes_out_what_is_not_set_is_read(document, site, ask):
    unset = {"scope": "", "logo_uri": "", "jwks_uri": None, "client_secret": None, "redirect_uris": [], "contacts": []}
    site.pieces = answer(json.dumps({**document, **unset}).encode("utf-8-sig"))

    assert ask(scope="read write").json["scope"] == "read write"


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_CLIENT_ID_SCOPES": []}])
def test_without_the_setting_there_are_no_scopes(settings):
    assert read_document({}, settings).scope == frozenset()


def test_document_for_many_servers_is_read_for_what_this_one_does(publish, ask):
    publish(grant_types=["authorization_code", "refresh_token", "client_credentials"], response_types=["code"])

    assert ask().status_code == 200


def test_members_that_only_the_operator_may_set_are_passed_over(publish, ask, build_assertion, refusals):
    operators = {"assertion_audience": "compatibility", "default_scope": "read", "owner": "me", "enabled": False}
    publish(scope="read write", **operators)

    assert ask().status_code == 200
    assert_refused(ask(aud=f"{ISSUER}/oauth2/token"), refusals, "assertion_aud")
    assert ask(scope=None).json["scope"] == "read write"


def test_document_that_wants_bound_tokens_gets_no_others(publish, ask, build_dpop):
    publish(dpop_bound_access_tokens=True)

    assert ask().json["error"] == "invalid_request"
    assert ask(proof=build_dpop()).json["token_type"] == "DPoP"


# --- documents that are refused -----------------------------------------------------------------------------
def read_document(changes, settings=ON):
    members = {
        "client_id": URL,
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "jwks_uri": KEYS_URL,
        **changes,
    }
    server = read({"OAUTH2_ISSUER": ISSUER, **settings}, ServerSettings)
    return read_client(URL, members, settings=server, grant_types=lambda: ["client_credentials"])


def reason_for(**changes):
    with pytest.raises(ValueError) as refused:
        read_document(changes)
    return str(refused.value)


@pytest.mark.parametrize(
    ("uris", "application_type"),
    [
        (["http://localhost:3000/cb", "http://127.0.0.1/cb", "com.example.app:/cb"], "native"),
        (["https://app.example/cb"], "web"),
    ],
)
def test_document_says_by_its_redirect_uris_whether_it_is_a_native_client(uris, application_type):
    changes = {"grant_types": ["client_credentials", "authorization_code"], "redirect_uris": uris, "contacts": []}

    client = read_document(changes)

    assert (client.application_type, client.redirect_uris) == (application_type, tuple(uris))
    assert "com.example.app://cb' names a host after its own scheme" in reason_for(
        redirect_uris=["com.example.app://cb"]
    )


@pytest.mark.parametrize(
    "client_id",
    [None, 5, "", "https://other.example/client.json", URL + "/", URL.upper(), URL.replace("example/", "example:443/")],
)
def test_document_of_another_client_is_refused(client_id):
    assert reason_for(client_id=client_id) == "client_id is not the URL of the document"


@pytest.mark.parametrize("method", [None, "none", "client_secret_basic", "client_secret_post", "client_secret_jwt", 5])
def test_document_with_another_authentication_method_is_refused(method):
    assert reason_for(token_endpoint_auth_method=method) == "token_endpoint_auth_method is not private_key_jwt"


@pytest.mark.parametrize("member", ["client_secret", "client_secret_expires_at"])
@pytest.mark.parametrize("value", ["s3cret", 0])
def test_document_that_has_to_do_with_a_secret_is_refused(member, value):
    assert reason_for(**{member: value}) == f"{member} is there: a document is public"


def test_document_with_a_private_key_is_refused(client_key):
    reason = reason_for(jwks_uri=None, jwks={"keys": [client_key.as_jwk()]})

    assert reason == "jwks: the set holds private or symmetric key material"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"jwks_uri": None}, "jwks is missing"),
        ({"jwks": {"keys": []}}, "jwks and jwks_uri are both there"),
        ({"jwks_uri": "http://127.0.0.1/jwks"}, "jwks_uri: the URL is not https"),
        ({"jwks_uri": "https://169.254.169.254/"}, "jwks_uri: address 169.254.169.254 is not public"),
        ({"grant_types": ["authorization_code"]}, "none of its grant_types is served here"),
        ({"grant_types": []}, "none of its grant_types is served here"),
        ({"grant_types": "client_credentials"}, "grant_types is not a list"),
        ({"grant_types": {"client_credentials": 1}}, "grant_types is not a list"),
        ({"scope": ["read"]}, "scope is not a string"),
        ({"client_name": 5}, "client_name is not a string"),
        ({"client_name": "\ud800"}, "client_name is not a string"),
        ({"software_statement": "e30.e30."}, "a software_statement"),
    ],
)
def test_document_that_could_not_be_registered_is_refused(changes, reason):
    assert reason_for(**changes).startswith(reason)


def test_grant_type_that_is_not_named_is_not_had():
    members = {"client_id": URL, "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS_URL}
    server = read({"OAUTH2_ISSUER": ISSUER, **ON}, ServerSettings)

    with pytest.raises(ValueError, match="none of its grant_types"):
        read_client(URL, members, settings=server, grant_types=lambda: ["client_credentials"])


def test_version_changes_with_the_document():
    assert read_document({}).version == read_document({}).version
    assert read_document({}).version != read_document({"client_name": "Other"}).version


def test_refused_document_is_logged_and_the_answer_is_that_of_an_unknown_client(publish, ask, refusals, caplog):
    publish(client_id="https://other.example/")

    assert_refused(ask(), refusals, "client_unknown", says=f"client {URL!r} is not registered")
    assert caplog.messages[0] == f"{URL!r} is not used: client_id is not the URL of the document"


def test_large_document_is_refused(publish, ask, caplog):
    publish(padding="x" * 16384)

    assert ask().json == INVALID_CLIENT
    assert "more than 16384 bytes" in caplog.text


# --- which URLs are fetched at all --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url", [URL, f"https://{HOST}/", f"https://{HOST}:443/a", f"https://{HOST}/a/...", f"https://{HOST}/a%20b"]
)
def test_url_with_a_path_may_be_a_client_id(url):
    assert is_client_id_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "console",
        "",
        f"http://{HOST}/client.json",
        f"HTTPS://{HOST}/client.json",
        f"https://{HOST}",
        f"{URL}?v=1",
        f"{URL}?",
        f"{URL}#a",
        f"https://{HOST}/./client.json",
        f"https://{HOST}/a/../client.json",
        f"https://{HOST}/..",
        f"https://{HOST}/%2e%2E/client.json",
        f"https://{HOST}/.%2e/client.json",
        "https://[::1/a",
        "https://[::1]x/a",
        f"https://u@{HOST}/a",
        f"https://{HOST}/100%",
        "urn:example:client",
    ],
)
def test_other_text_is_no_url_of_a_client(url):
    assert not is_client_id_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/client.json",
        f"https://{HOST}.evil.example/client.json",
        f"https://a.{HOST}/client.json",
        f"https://{HOST}@evil.example/client.json",
        f"https://u@{HOST}/client.json",
        f"https://{HOST}:8443/client.json",
        f"http://{HOST}/client.json",
        f"{URL}?v=1",
        f"https://{HOST}",
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        f"https://{HOST}/" + "a" * 255,
    ],
)
def test_url_that_is_not_allowed_is_an_unknown_client_and_leaves_no_trace(url, server, publish, ask, network, refusals):
    app, _, db = server

    assert_refused(ask(client_id=url), refusals, "client_unknown")

    assert network.lookups == []
    with app.app_context():
        assert db.session.execute(db.text("SELECT count(*) FROM oauth2_fetched_document")).scalar() == 0


def test_name_that_leads_inside_is_refused(publish, ask, network, caplog):
    network.names[HOST] = [["10.0.0.1"]]

    assert ask().json == INVALID_CLIENT
    assert "has address 10.0.0.1, which is not allowed: private" in caplog.text
    assert network.connections == []


@pytest.mark.parametrize("settings", [{}])
def test_nothing_is_fetched_where_documents_are_off(settings, app, publish, ask, network, refusals):
    assert_refused(ask(), refusals, "client_unknown")
    assert network.lookups == []
    assert "client_id_metadata_document_supported" not in app.test_client().get(METADATA).json


def test_request_without_an_assertion_fetches_nothing(publish, ask_token, network):
    assert ask_token(assertion=None, client_assertion=None, client_id=URL).json == INVALID_CLIENT
    assert network.lookups == []


# --- strangers who make up URLs -----------------------------------------------------------------------------
def test_document_that_cannot_be_had_is_not_asked_for_again_in_the_cooldown(publish, ask, site, clock):
    site.pieces = answer(b"", status="404 No")
    for _ in range(3):
        assert ask().json == INVALID_CLIENT
    assert len(site.requests) == 1

    publish()
    clock.move(30)
    assert ask().status_code == 200


def make_up_urls(ask, site, count):
    good, site.pieces = site.pieces, answer(b"", status="404 No")
    answers = [ask(client_id=f"https://{HOST}/{number}") for number in range(count)]
    site.pieces = good
    return answers


def test_made_up_urls_leave_room_for_genuine_newcomers(publish, ask, site, document, refusals):
    assert {answer.status_code for answer in make_up_urls(ask, site, 150)} == {400}

    for number in range(6):
        url = f"https://{HOST}/genuine-{number}.json"
        site.pieces = answer(json.dumps({**document, "client_id": url}).encode())
        assert ask(client_id=url).status_code == 200


def test_made_up_urls_beyond_the_pace_are_503_and_known_clients_go_on(publish, ask, site, refusals, clock):
    ask()
    answers = make_up_urls(ask, site, 185)

    assert (answers[-1].status_code, answers[-1].json["error"]) == (503, "temporarily_unavailable")
    assert answers[-1].headers["Retry-After"] == "2"
    assert refusals[-1].cause == "fetch_busy_new"
    assert len(site.requests) < 185
    assert ask().status_code == 200
    clock.move(600)
    assert ask().status_code == 200


def test_a_newcomer_that_was_turned_away_is_in_when_it_comes_again(publish, ask, site, clock):
    make_up_urls(ask, site, 185)
    assert ask().status_code == 503
    clock.move(2)

    assert ask().status_code == 200


# --- the operator's registrations go first ------------------------------------------------------------------
def test_registration_of_the_same_client_id_goes_before_the_document(publish, ask, register, site, keys, refusals):
    key = keys("ES256", "registered")
    register(client_id=URL, jwks={"keys": [key.public_jwk()]}, scope="read")

    assert ask(key=key).status_code == 200
    assert_refused(ask(), refusals, "assertion_no_key")
    assert site.requests == []


def test_disabled_registration_keeps_a_document_out(publish, ask, register, client_key, site, refusals):
    register(client_id=URL, jwks={"keys": [client_key.public_jwk()]}, enabled=False)

    assert_refused(ask(), refusals, "client_disabled")
    assert site.requests == []


# --- settings -----------------------------------------------------------------------------------------------
def test_hosts_must_be_named():
    settings = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": True}

    assert read({**settings, "OAUTH2_CLIENT_ID_HOSTS": HOST}, ServerSettings).CLIENT_ID_HOSTS == (HOST,)
    with pytest.raises(ConfigurationError, match="needs OAUTH2_CLIENT_ID_HOSTS"):
        read(settings, ServerSettings)
    with pytest.raises(ConfigurationError, match="which is not a lower-case host name"):
        read({**settings, "OAUTH2_CLIENT_ID_HOSTS": "*.example"}, ServerSettings)


def test_any_host_needs_scopes_for_strangers_and_goes_with_no_other_name():
    settings = {"OAUTH2_ISSUER": ISSUER, **ON}

    assert read({**settings, "OAUTH2_CLIENT_ID_HOSTS": "*"}, ServerSettings).takes_any_document
    assert not read(settings, ServerSettings).takes_any_document
    with pytest.raises(ConfigurationError, match="needs OAUTH2_CLIENT_ID_SCOPES"):
        read({**settings, "OAUTH2_CLIENT_ID_HOSTS": ["*"], "OAUTH2_CLIENT_ID_SCOPES": []}, ServerSettings)
    with pytest.raises(ConfigurationError, match="it means every host"):
        read({**settings, "OAUTH2_CLIENT_ID_HOSTS": ["*", HOST]}, ServerSettings)


@pytest.mark.parametrize(("hosts", "is_warned"), [(["*"], True), ([HOST], False)])
def test_any_host_is_warned_about_at_the_start(hosts, is_warned, tmp_path, caplog):
    app, _, db = make_app(f"sqlite:///{tmp_path}/warned.sqlite", **{**ON, "OAUTH2_CLIENT_ID_HOSTS": hosts})
    close(app, db)

    assert ("anybody with a web site can be a client here" in caplog.text) == is_warned


# --- any host ---------------------------------------------------------------------------------------------------
OTHER_URL = "https://other.example/mcp/client.json"


@pytest.fixture
def other_site(network, serve, authority, document):
    """Another client's server, whose host no setting names."""
    network.names["other.example"] = [["93.184.215.99"]]
    site = serve(authority.server_context("other.example"), address="93.184.215.99")
    site.pieces = answer(json.dumps({**document, "client_id": OTHER_URL}).encode())
    return site


@pytest.mark.parametrize("settings_hosts", [["*"]])
def test_document_of_any_host_is_a_client_where_all_are_open(settings_hosts, other_site, publish, ask):
    assert ask(client_id=OTHER_URL).status_code == 200
    assert ask().status_code == 200


def test_document_of_any_host_may_not_act_for_itself(build_settings, document):
    wished = {**document, "grant_types": ["authorization_code", "client_credentials"]}
    wished |= {"redirect_uris": ["https://app.example/callback"]}
    served = ["authorization_code", "client_credentials"]

    def read_with(**changes):
        return read_client(URL, wished, settings=build_settings(**changes), grant_types=lambda: served).grant_types

    assert read_with(OAUTH2_CLIENT_ID_HOSTS=["*"]) == {"authorization_code"}
    assert read_with() == set(served)


def test_document_of_another_host_is_none_where_hosts_are_named(other_site, publish, ask, refusals, network):
    assert_refused(ask(client_id=OTHER_URL), refusals, "client_unknown")
    assert network.lookups == []


@pytest.mark.parametrize("settings_hosts", [["*"]])
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://app.localhost/client.json",
        "https://[::1]/client.json",
        "https://10.0.0.1/client.json",
        "https://169.254.169.254/client.json",
        "https://2130706433/client.json",
        f"https://{HOST}:8443/client.json",
    ],
)
def test_any_host_is_none_of_this_network(url, settings_hosts, publish, ask, network, refusals):
    assert_refused(ask(client_id=url), refusals, "client_unknown")
    assert network.lookups == []


@pytest.mark.parametrize("settings_hosts", [["*"]])
def test_name_that_leads_inside_is_refused_where_all_are_open(settings_hosts, other_site, ask, network, caplog):
    network.names["other.example"] = [["169.254.169.254"]]

    assert ask(client_id=OTHER_URL).json == INVALID_CLIENT
    assert "has address 169.254.169.254, which is not allowed: link-local" in caplog.text
    assert network.connections == []


def test_scopes_of_such_clients_are_scopes_of_the_server():
    settings = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_SCOPES": ["read"]}

    assert read({**settings, "OAUTH2_CLIENT_ID_SCOPES": ["read"]}, ServerSettings)
    with pytest.raises(ConfigurationError, match="OAUTH2_CLIENT_ID_SCOPES holds 'admin'"):
        read({**settings, "OAUTH2_CLIENT_ID_SCOPES": ["read", "admin"]}, ServerSettings)


def test_nothing_secret_is_logged(publish, ask, client_key, caplog):
    caplog.set_level(logging.DEBUG)
    publish(jwks={"keys": [client_key.as_jwk()]})

    ask()

    assert client_key.as_jwk()["d"] not in caplog.text
    assert ADDRESS not in caplog.text
