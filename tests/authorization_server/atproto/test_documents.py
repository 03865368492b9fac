"""Client metadata documents under the profile: what they must say, what people see of them, and what changes."""

import pytest

from flask_private_key_jwt.authorization_server.registration.client_id_document import read_client
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.atproto.conftest import ALICE, CALLBACK, CLIENT, SCOPE
from tests.conftest import INVALID_CLIENT, ISSUER
from tests.refusals import causes
from tests.servers.https_servers import HOST, answer

SERVED = ["authorization_code", "refresh_token", "client_credentials"]
NATIVE = {"application_type": "native"}
REVERSED = "example.client.keys"


@pytest.fixture
def read_document(document):
    """The client of the document, changed; ``None`` leaves a member out."""

    def read_document(url=CLIENT, trusted=(), **changes):
        config = {
            "OAUTH2_ISSUER": ISSUER,
            "OAUTH2_PROFILE": "atproto",
            "OAUTH2_SCOPES": SCOPE.split(),
            "OAUTH2_TRUSTED_CLIENT_IDS": [*trusted],
        }
        members = {**document, "client_id": url, **changes}
        members = {name: value for name, value in members.items() if value is not None}
        return read_client(url, members, settings=read(config, ServerSettings), grant_types=lambda: SERVED)

    return read_document


# --- what they must say -------------------------------------------------------------------------------------------
def test_document_of_the_specification_is_taken(read_document):
    client = read_document()

    assert client.scope == {"atproto", "transition:generic"}
    assert client.grant_types == {"authorization_code", "refresh_token"}
    assert (client.redirect_uris, client.application_type) == ((CALLBACK,), "web")
    assert (client.dpop_bound_access_tokens, client.is_public) == (True, False)


def test_client_never_acts_for_itself_whatever_its_document_says(read_document):
    wished = ["authorization_code", "client_credentials", "refresh_token", "urn:example:own"]

    assert read_document(grant_types=wished).grant_types == {"authorization_code", "refresh_token"}
    assert read_document(grant_types=["client_credentials", "authorization_code"]).grant_types == {"authorization_code"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dpop_bound_access_tokens": None}, "dpop_bound_access_tokens is missing"),
        ({"dpop_bound_access_tokens": False}, "dpop_bound_access_tokens is not true"),
        ({"dpop_bound_access_tokens": "true"}, "dpop_bound_access_tokens is not true"),
        ({"grant_types": None}, "grant_types is missing"),
        ({"grant_types": ["refresh_token"]}, "grant_types does not hold 'authorization_code'"),
        ({"grant_types": "authorization_code"}, "grant_types does not hold 'authorization_code'"),
        ({"response_types": None}, "response_types is missing"),
        ({"response_types": ["token"]}, "response_types does not hold 'code'"),
        ({"scope": None}, "scope is missing"),
        ({"scope": "transition:generic"}, "scope does not hold 'atproto'"),
        ({"scope": ["atproto"]}, "scope does not hold 'atproto'"),
        ({"scope": "atproto\ttransition:generic"}, "scope does not hold 'atproto'"),
        ({"redirect_uris": None}, "redirect_uris is missing"),
        ({"redirect_uris": CALLBACK}, "redirect_uris is not a list with at least one"),
        ({"redirect_uris": [17]}, "a redirect URI is not a URI"),
        ({"redirect_uris": ["/callback"]}, "a redirect URI is not a URI"),
        ({"application_type": "mobile"}, "application_type"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_signing_alg": "none"}, "token_endpoint_auth_signing_alg 'none' is not accepted"),
        ({"jwks": None}, "jwks is missing"),
        ({"jwks_uri": "https://keys.client.example/jwks.json"}, "jwks and jwks_uri are both there"),
        ({"jwks": None, "jwks_uri": "http://keys.client.example/jwks.json"}, "not https"),
        ({"client_secret": "x" * 40}, "client_secret is there"),
        ({"client_uri": "https://other.example/"}, "client_uri is at another host than the client_id"),
        ({"client_uri": "http://keys.client.example/"}, "client_uri is not an https URL"),
        ({"logo_uri": "http://keys.client.example/logo.png"}, "logo_uri is not an https URL"),
        ({"logo_uri": "data:image/png;base64,AAAA"}, "logo_uri is not an https URL"),
        ({"tos_uri": "http://keys.client.example/tos"}, "tos_uri is not an https URL"),
        ({"policy_uri": 17}, "policy_uri is not an https URL"),
    ],
)
def test_document_that_breaks_a_rule_is_refused(read_document, changes, says):
    with pytest.raises(ValueError, match=says):
        read_document(**changes)


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}:8443/client.json",
        f"https://{HOST}:443/client.json",
        "https://93.184.215.14/client.json",
        f"https://{HOST}/",
        f"https://{HOST}/clients/",
    ],
)
def test_client_id_with_a_port_an_address_or_without_a_file_is_refused(read_document, url):
    with pytest.raises(ValueError, match="the client_id names a port"):
        read_document(url)


def test_application_type_is_web_if_it_is_absent(read_document):
    assert read_document(application_type=None).application_type == "web"
    with pytest.raises(ValueError, match="a redirect URI of a web client is not https"):
        read_document(application_type=None, redirect_uris=[f"{REVERSED}:/callback"])


# --- where they may send a person -----------------------------------------------------------------------------------
@pytest.mark.parametrize("uri", [CALLBACK, "https://app.other.example/callback", f"https://{HOST}:8443/callback"])
def test_web_client_may_have_any_https_redirect_uri(read_document, uri):
    assert read_document(redirect_uris=[uri]).redirect_uris == (uri,)


@pytest.mark.parametrize(
    "uri",
    [
        "http://keys.client.example/callback",
        "http://127.0.0.1/callback",
        "http://localhost/callback",
        f"{REVERSED}:/callback",
        "javascript:alert(1)",
        f"https://{HOST}:443/callback",
        f"https://{HOST}/callback#fragment",
        f"https://user@{HOST}/callback",
    ],
)
def test_web_client_has_no_other_redirect_uri(read_document, uri):
    with pytest.raises(ValueError, match="redirect"):
        read_document(redirect_uris=[CALLBACK, uri])


@pytest.mark.parametrize("uri", [CALLBACK, f"{REVERSED}:/callback", f"{REVERSED}:/"])
def test_native_client_may_have_its_own_origin_and_its_own_scheme(read_document, uri):
    assert read_document(**NATIVE, redirect_uris=[uri]).redirect_uris == (uri,)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.other.example/callback",
        f"https://{HOST}:8443/callback",
        "com.other.app:/callback",
        "example.client:/callback",
        "keys.client.example:/callback",
        f"{REVERSED}.more:/callback",
        f"{REVERSED}://callback",
        f"{REVERSED}:callback",
        f"{REVERSED}:///callback",
        "http://127.0.0.1/callback",
        "http://localhost/callback",
    ],
)
def test_native_client_has_no_other_redirect_uri(read_document, uri):
    with pytest.raises(ValueError, match="redirect URI"):
        read_document(**NATIVE, redirect_uris=[uri])


# --- what people see of them ----------------------------------------------------------------------------------------
SHOWN = {
    "client_name": "Your Bank",
    "client_uri": f"https://{HOST}/about",
    "logo_uri": f"https://{HOST}/logo.png",
    "tos_uri": f"https://{HOST}/tos",
    "policy_uri": f"https://{HOST}/privacy",
}


def test_what_a_client_says_of_itself_is_left_out_unless_the_operator_lists_it(read_document):
    assert read_document(**SHOWN).client_name is None
    assert not set(SHOWN).intersection(read_document(**SHOWN).metadata)
    trusted = read_document(trusted=[CLIENT], **SHOWN)

    assert (trusted.client_name, trusted.metadata["logo_uri"]) == ("Your Bank", SHOWN["logo_uri"])


def test_consent_page_names_the_client_id_and_nothing_else(publish, client):
    publish(**SHOWN)
    page = client.open_as(ALICE, client.push())

    assert page.status_code == 200
    assert CLIENT in page.text
    assert not [value for value in SHOWN.values() if value in page.text]
    assert "img-src" not in page.headers["Content-Security-Policy"]


@pytest.fixture
def trusts_the_client(settings):
    settings["OAUTH2_TRUSTED_CLIENT_IDS"] = [CLIENT]


@pytest.mark.usefixtures("trusts_the_client")
def test_consent_page_shows_name_and_logo_of_a_client_that_the_operator_lists(publish, client):
    publish(**SHOWN)
    page = client.open_as(ALICE, client.push())

    assert CLIENT in page.text
    assert SHOWN["client_name"] in page.text
    assert SHOWN["logo_uri"] in page.text
    assert f"img-src 'self' https://{HOST}" in page.headers["Content-Security-Policy"]


# --- what changes ---------------------------------------------------------------------------------------------------
def test_document_that_changed_into_a_bad_one_is_no_client(publish, client, clock, refusals):
    client.sign_in()
    publish(dpop_bound_access_tokens=False)
    clock.move(600 + 3600)
    answer = client.push()

    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert causes(refusals) == ["client_unknown"]


def test_redirect_uri_that_is_gone_when_the_request_is_opened_is_not_followed(publish, client, clock, refusals):
    pushed = client.push()
    publish(redirect_uris=[f"https://{HOST}/other"])
    clock.move(61)
    page = client.open_as(ALICE, pushed)

    assert (page.status_code, "Location" in page.headers) == (400, False)
    assert causes(refusals) == ["redirect_uri_not_registered"]


def test_scope_that_is_gone_when_the_request_is_opened_is_not_given(publish, client, clock, refusals):
    pushed = client.push()
    publish(scope="atproto")
    clock.move(61)
    page = client.open_as(ALICE, pushed)

    assert page.headers["Location"].startswith(CALLBACK)
    assert "error=invalid_scope" in page.headers["Location"]
    assert causes(refusals) == ["scope_not_registered"]


def test_session_does_not_keep_a_scope_that_the_document_lost(publish, client, clock, refusals):
    tokens = client.sign_in()
    publish(scope="atproto")
    clock.move(600)
    answer = client.refresh(tokens)

    assert answer.json["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_not_registered"]


def test_document_that_redirects_elsewhere_is_not_followed(site, client, network, refusals):
    site.pieces = answer(b"", "Location: https://evil.example/client.json", status="302 Found")
    network.names["evil.example"] = [["93.184.215.15"]]

    assert client.push().json == INVALID_CLIENT
    assert causes(refusals) == ["client_unknown"]
    assert [host for host, _ in network.lookups] == [HOST]


def test_document_with_another_client_id_is_not_this_client(publish, client, refusals):
    publish(client_id=f"https://{HOST}/other.json")

    assert client.push().json == INVALID_CLIENT
    assert causes(refusals) == ["client_unknown"]
