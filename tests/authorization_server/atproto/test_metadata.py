"""What the server says of itself under the profile: what clients of the AT Protocol look at."""

import pytest

from tests.conftest import API, ISSUER

METADATA = "/.well-known/oauth-authorization-server"


@pytest.fixture
def metadata(app, people):
    answer = app.test_client().get(METADATA)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return answer.json


def test_document_has_every_member_that_the_specification_requires(metadata):
    assert metadata["issuer"] == ISSUER
    assert metadata["authorization_endpoint"] == f"{ISSUER}/oauth2/authorize"
    assert metadata["token_endpoint"] == f"{ISSUER}/oauth2/token"
    assert metadata["pushed_authorization_request_endpoint"] == f"{ISSUER}/oauth2/par"
    assert metadata["response_types_supported"] == ["code"]
    assert {"authorization_code", "refresh_token"} <= {*metadata["grant_types_supported"]}
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "none"]
    assert "ES256" in metadata["token_endpoint_auth_signing_alg_values_supported"]
    assert "none" not in metadata["token_endpoint_auth_signing_alg_values_supported"]
    assert metadata["scopes_supported"] == ["atproto", "transition:generic"]
    assert "ES256" in metadata["dpop_signing_alg_values_supported"]
    for name in (
        "authorization_response_iss_parameter_supported",
        "require_pushed_authorization_requests",
        "client_id_metadata_document_supported",
    ):
        assert metadata[name] is True, name
    assert metadata.get("require_request_uri_registration", True) is True
    assert metadata["response_modes_supported"] == ["query", "form_post", "fragment"]


def test_document_names_the_resource_servers(metadata):
    assert metadata["protected_resources"] == [API]


@pytest.mark.parametrize("path", [METADATA, "/oauth2/par", "/oauth2/token", "/oauth2/revoke"])
def test_apps_in_browsers_may_call_from_any_origin(app, people, path):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    answer = app.test_client().options(path, headers={**asked, "Access-Control-Request-Headers": "dpop"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_there_is_no_openid_connect(metadata, app):
    assert not [name for name in metadata if name.startswith(("id_token", "userinfo", "subject_types", "claims"))]
    assert app.test_client().get("/oauth2/userinfo").status_code == 404
