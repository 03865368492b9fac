"""The official MCP SDK for Python: its providers for people and for machines, through whole flows."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from flask_private_key_jwt.jose import jose
from tests.refusals import causes
from tests.servers.throwaway import miss
from tests.third_party.person import PERSON

try:
    from mcp.client.auth import OAuthFlowError, OAuthRegistrationError, OAuthTokenError
    from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider, SignedJWTParameters

    from tests.third_party.mcp_site import CALLBACK, Person, Storage, build_provider, call_tool, serving_mcp
except ModuleNotFoundError as missing:  # the SDK, or what it needs
    pytestmark = pytest.mark.usefixtures("_no_sdk")
    MISSING = missing.name

DOCUMENT = {
    "client_name": "SDK",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}


@pytest.fixture
def _no_sdk():
    miss(f"no MCP SDK: {MISSING} is not installed")


@pytest.fixture(scope="module")
def _mcp(tmp_path_factory, authority):
    with serving_mcp(tmp_path_factory.mktemp("mcp"), authority, OAUTH2_REGISTRATION="open") as mcp:
        yield mcp


@pytest.fixture
def mcp(_mcp):
    _mcp.site.refusals.clear()
    _mcp.documents.requests.clear()
    return _mcp


def claims_of(token):
    return jose.decode_unverified(token)[1]


def innermost(error):
    """What a group of errors, as async code raises it, holds."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def refused(mcp, provider, kind):
    with pytest.raises(BaseException) as caught:
        call_tool(mcp, provider)
    assert isinstance(innermost(caught.value), kind), caught.value


# --- a person allows it -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["none", None])
def test_client_registers_and_a_person_allows_it(method, mcp):
    storage, person = Storage(), Person(mcp.site)
    who = call_tool(mcp, build_provider(mcp, storage, person, token_endpoint_auth_method=method))
    asked = parse_qs(urlsplit(person.opened[0]).query)
    claims = claims_of(storage.tokens.access_token)

    assert who == {"subject": PERSON, "client": storage.client_info.client_id}
    assert asked["resource"] == [mcp.resource]
    assert asked["scope"] == ["tools offline_access"]
    assert (storage.client_info.token_endpoint_auth_method, storage.client_info.scope) == ("none", "tools")
    assert (claims["aud"], claims["scope"], claims["exp"] - claims["iat"]) == (mcp.resource, "tools", 600)
    assert mcp.site.refusals == []


def test_client_is_known_by_its_document(mcp):
    storage, person = Storage(), Person(mcp.site)
    mcp.publish(**DOCUMENT)
    who = call_tool(mcp, build_provider(mcp, storage, person, client_metadata_url=mcp.document_url))

    assert who == {"subject": PERSON, "client": mcp.document_url}
    assert [request.split(" ")[1] for request in mcp.documents.requests] == ["/mcp/client.json"]
    assert mcp.site.refusals == []


def test_client_refreshes_and_a_stolen_refresh_token_ends_it(mcp):
    storage, person = Storage(), Person(mcp.site)
    provider = build_provider(mcp, storage, person)
    call_tool(mcp, provider)
    first, stolen = storage.tokens.access_token, storage.tokens.refresh_token
    provider.context.token_expiry_time = 1  # long ago
    call_tool(mcp, provider)

    assert storage.tokens.access_token != first
    assert storage.tokens.refresh_token != stolen
    assert claims_of(storage.tokens.access_token)["aud"] == mcp.resource
    assert len(person.opened) == 1
    form = {"grant_type": "refresh_token", "client_id": storage.client_info.client_id}
    provider.context.token_expiry_time = 1
    call_tool(mcp, provider)  # the successor is used: now the old one is nobody's
    thiefs = requests.post(mcp.site.token_url, data={**form, "refresh_token": stolen}, timeout=5)
    assert thiefs.json()["error"] == "invalid_grant"
    assert causes(mcp.site.refusals) == ["refresh_token_reused"]


def test_token_for_the_mcp_server_is_none_at_another_api(mcp):
    storage = Storage()
    call_tool(mcp, build_provider(mcp, storage, Person(mcp.site)))
    header = {"Authorization": f"Bearer {storage.tokens.access_token}"}

    assert requests.get(mcp.site.values, headers=header, timeout=5).status_code == 401
    assert causes(mcp.site.refusals) == ["token_aud"]


def test_token_for_another_api_is_none_at_the_mcp_server(mcp):
    storage, person = Storage(), Person(mcp.site)
    provider = build_provider(mcp, storage, person)
    provider.context.get_resource_url = lambda: mcp.site.api
    refused(mcp, provider, Exception)

    assert claims_of(storage.tokens.access_token)["aud"] == mcp.site.api


def test_person_who_says_no_gives_no_token(mcp):
    storage = Storage()
    refused(mcp, build_provider(mcp, storage, Person(mcp.site, "deny")), OAuthFlowError)

    assert storage.tokens is None
    assert causes(mcp.site.refusals) == ["person_refused"]


def test_document_of_another_client_lets_nobody_in(mcp):
    url = mcp.document_url.replace("client.json", "another.json")
    mcp.publish(**DOCUMENT)  # at every path of that server, and it says another client_id
    storage = Storage()
    with pytest.raises(BaseException):  # noqa: B017 - the person sees a page, and nobody comes back
        call_tool(mcp, build_provider(mcp, storage, Person(mcp.site), client_metadata_url=url))

    assert storage.tokens is None
    assert causes(mcp.site.refusals) == ["client_unknown"]


def test_registration_with_a_redirect_elsewhere_over_http_is_refused(mcp):
    provider = build_provider(mcp, Storage(), Person(mcp.site), redirect_uris=["http://app.example/callback"])
    refused(mcp, provider, OAuthRegistrationError)

    assert causes(mcp.site.refusals) == ["redirect_uris_not_accepted"]


# --- a machine ----------------------------------------------------------------------------------------------------
def build_machine(mcp, client_id, key, alg):
    signed = SignedJWTParameters(
        issuer=client_id,
        subject=client_id,
        signing_key=key.as_pem().decode(),
        signing_algorithm=alg,
    )
    return PrivateKeyJWTOAuthProvider(
        server_url=mcp.resource,
        storage=Storage(),
        client_id=client_id,
        assertion_provider=signed.create_assertion_provider(),
        issuer=mcp.site.issuer,
        scope="tools",
    )


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_machine_gets_in_by_its_key(alg, mcp, keys):
    client_id = mcp.site.register(keys(alg), scope="tools", default_scope="tools")

    assert call_tool(mcp, build_machine(mcp, client_id, keys(alg), alg)) == {"subject": client_id, "client": client_id}
    assert mcp.site.refusals == []


def test_machine_with_another_key_stays_out(mcp, keys):
    client_id = mcp.site.register(keys("ES256"), scope="tools", default_scope="tools")
    refused(mcp, build_machine(mcp, client_id, keys("ES256", "another"), "ES256"), OAuthTokenError)

    assert causes(mcp.site.refusals) == ["assertion_signature"]


# --- nothing leaves this machine ----------------------------------------------------------------------------------
@pytest.mark.parametrize("url", ["https://app.example/client.json", "https://169.254.169.254/c", "https://10.0.0.1/c"])
def test_document_elsewhere_is_not_even_looked_up(url, mcp, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    query = {"response_type": "code", "client_id": url, "redirect_uri": CALLBACK, "resource": mcp.resource}
    answer = mcp.site.app.test_client().get("/oauth2/authorize", query_string=query)

    assert answer.status_code == 400
    assert causes(mcp.site.refusals) == ["client_unknown"]
