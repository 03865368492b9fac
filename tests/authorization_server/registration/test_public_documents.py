"""Public clients that are registered by a document: who gets in, and which requests make this server fetch one."""

import pytest

from flask_private_key_jwt.authorization_server.registration.client_id_document import read_client
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.conftest import DOCUMENT, DOCUMENT_URL
from tests.conftest import INVALID_CLIENT, ISSUER
from tests.refusals import causes
from tests.servers.https_servers import HOST, answer

SERVED = ["authorization_code", "refresh_token", "client_credentials"]
ON = {
    "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": True,
    "OAUTH2_CLIENT_ID_PUBLIC_CLIENTS": True,
    "OAUTH2_CLIENT_ID_HOSTS": [HOST],
    "OAUTH2_CLIENT_ID_SCOPES": ["read", "write"],
}


@pytest.fixture
def settings(authority):
    return {**ON, "OAUTH2_FETCH_CA_BUNDLE": authority.bundle}


@pytest.fixture(autouse=True)
def _published(publish):
    """The document is there, before the app is made."""


@pytest.fixture
def redeem(redeem_document, build_dpop):
    return lambda code, **changes: redeem_document(code, **{"proof": build_dpop(), **changes})


def read_document(**changes):
    given = {"OAUTH2_ISSUER": ISSUER, **ON, **changes.pop("settings", {})}
    settings = read({name: value for name, value in given.items() if value is not None}, ServerSettings)
    members = {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not None}
    return read_client(DOCUMENT_URL, members, settings=settings, grant_types=lambda: SERVED)


# --- the way in ---------------------------------------------------------------------------------------------------
def test_public_client_gets_in_by_its_document_at_any_port_of_loopback(publish, get_document_code, redeem, site):
    answer = redeem(get_document_code(scope="read write"))

    assert (answer.status_code, answer.json["token_type"], answer.json["scope"]) == (200, "DPoP", "read write")
    assert len(site.requests) == 1


def test_its_refresh_token_is_bound_to_the_key_of_the_proof(
    publish, get_document_code, redeem, post, build_dpop, keys, refusals
):
    form = {"grant_type": "refresh_token", "refresh_token": redeem(get_document_code()).json["refresh_token"]}

    stolen = post(
        "/oauth2/token", assertion=False, client_id=DOCUMENT_URL, proof=build_dpop(key=keys("ES256", "thief")), **form
    )
    assert (stolen.json["error"], causes(refusals)) == ("invalid_grant", ["refresh_token_key_mismatch"])
    assert post("/oauth2/token", assertion=False, client_id=DOCUMENT_URL, proof=build_dpop(), **form).status_code == 200


@pytest.mark.parametrize("flag", [None, False])
def test_public_document_is_none_where_the_setting_is_off(flag):
    with pytest.raises(ValueError, match=r"^token_endpoint_auth_method is not private_key_jwt$"):
        read_document(settings={"OAUTH2_CLIENT_ID_PUBLIC_CLIENTS": flag})


@pytest.mark.parametrize("method", [None, "", "client_secret_basic", "client_secret_post", "client_secret_jwt", 5])
def test_document_with_a_secret_or_without_a_method_is_none(method):
    with pytest.raises(ValueError, match=r"^token_endpoint_auth_method is not private_key_jwt or none$"):
        read_document(token_endpoint_auth_method=method)


def test_public_document_gets_only_grants_for_public_clients():
    client = read_document(grant_types=["authorization_code", "client_credentials", "urn:example:own"])

    assert client.grant_types == {"authorization_code"}
    with pytest.raises(ValueError, match="none of its grant_types is served here"):
        read_document(grant_types=["client_credentials"], redirect_uris=None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"jwks_uri": f"https://{HOST}/jwks"}, "jwks_uri is there, but token_endpoint_auth_method is 'none'"),
        ({"dpop_bound_access_tokens": False}, "dpop_bound_access_tokens is false, but a public client's"),
        ({"redirect_uris": ["http://app.example/cb"]}, "redirect_uris: 'http://app.example/cb' is not https"),
        ({"redirect_uris": None}, "redirect_uris is missing"),
    ],
)
def test_public_document_that_asks_for_too_much_is_none(change, reason):
    with pytest.raises(ValueError) as refused:
        read_document(**change)

    assert str(refused.value).startswith(reason)


def test_bound_tokens_are_its_own_wish_where_bearer_tokens_are_allowed():
    bearer = {"settings": {"OAUTH2_PUBLIC_BEARER_TOKENS": True}}

    assert read_document().needs_bound_tokens
    assert not read_document(**bearer).needs_bound_tokens
    assert read_document(dpop_bound_access_tokens=True, **bearer).needs_bound_tokens


# --- attacks ------------------------------------------------------------------------------------------------------
def test_client_with_keys_gets_in_by_them_only(
    publish, get_document_code, redeem, refusals, client_key, build_assertion
):
    publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [client_key.public_jwk()]})
    code = get_document_code()

    assert redeem(code).json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_missing"]
    assert (
        redeem(code, client_id=None, assertion=build_assertion(iss=DOCUMENT_URL, sub=DOCUMENT_URL)).status_code == 200
    )


def test_document_that_drops_its_keys_while_a_code_is_out_gets_no_more_than_its_owner(
    publish, get_document_code, redeem, refusals, client_key, clock, monkeypatch
):
    """Whoever can change the document is the client; but what was bound to the keys stays bound."""
    publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [client_key.public_jwk()]})
    code = get_document_code()
    publish()

    assert redeem(code).json == INVALID_CLIENT  # the document that the code was made with still counts
    assert causes(refusals) == ["assertion_missing"]


def test_redirect_that_a_later_document_does_not_name_is_none(
    publish, open_document, get_document_code, clock, refusals
):
    get_document_code()
    publish(redirect_uris=["http://127.0.0.1/other"])
    clock.move(600 + 3600)
    page = open_document()

    assert (page.status_code, causes(refusals)) == (400, ["redirect_uri_not_registered"])


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/callback",
        "http://127.0.0.1.evil.example:3000/callback",
        "http://localhost:3000@evil.example/callback",
        "http://127.0.0.1:3000/callback/../other",
        "http://127.0.0.2:3000/callback",
        "http://[::1]:3000/callback",
        "https://127.0.0.1:3000/callback",
        "http://127.0.0.1:3000/callback?next=https://evil.example",
        "http://127.0.0.1:99999/callback",
    ],
)
def test_redirect_to_another_origin_or_path_is_none(redirect_uri, open_document, refusals):
    page = open_document(redirect_uri=redirect_uri)

    assert (page.status_code, "Location" in page.headers) == (400, False)
    assert causes(refusals) == ["redirect_uri_not_registered"]


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_CLIENT_ID_PUBLIC_CLIENTS": False}])
def test_client_id_without_an_assertion_fetches_nothing_where_the_setting_is_off(settings, publish, redeem, network):
    assert redeem("code").json == INVALID_CLIENT
    assert network.lookups == []


def test_made_up_client_ids_at_the_token_endpoint_are_fetched_at_the_same_pace(publish, redeem, site, refusals):
    site.pieces = answer(b"", status="404 No")
    answers = [redeem("code", client_id=f"https://{HOST}/{number}") for number in range(185)]

    assert {answer.status_code for answer in answers[:150]} == {400}
    assert (answers[-1].status_code, answers[-1].headers["Retry-After"]) == (503, "2")
    assert refusals[-1].cause == "fetch_busy_new"
