"""What the server says of itself."""

from urllib.parse import urlsplit

import pytest

from tests.openid_suite.relying_party import FAPI2_ALGS, ISSUER, PAR

REGISTERED = {
    "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint", "scopes_supported",
    "response_types_supported", "response_modes_supported", "grant_types_supported",
    "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported", "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests", "authorization_response_iss_parameter_supported",
    "dpop_signing_alg_values_supported", "protected_resources", "client_id_metadata_document_supported",
    "request_parameter_supported", "request_uri_parameter_supported", "request_object_signing_alg_values_supported",
    "require_signed_request_object", "userinfo_endpoint", "subject_types_supported", "claims_supported",
    "id_token_signing_alg_values_supported",
    "introspection_endpoint", "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint", "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported", "ui_locales_supported",
}  # fmt: skip
"""Members of the IANA registry "OAuth Authorization Server Metadata", as far as the server has use for them."""


@pytest.mark.parametrize("place", ["oauth-authorization-server", "openid-configuration"])
def test_discovery_end_point_verification(place, app, signed):
    answer = app.test_client().get(f"/.well-known/{place}")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    metadata = answer.json
    assert metadata["issuer"] == ISSUER
    endpoints = (
        "authorization_endpoint",
        "token_endpoint",
        "pushed_authorization_request_endpoint",
        "userinfo_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
    )
    for member in (*endpoints, "jwks_uri"):
        url = urlsplit(metadata[member])
        assert (url.scheme, url.netloc, url.query, url.fragment) == ("https", "as.example", "", "")
    assert metadata["pushed_authorization_request_endpoint"] == ISSUER + PAR
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    for name in ("token", "introspection", "revocation"):
        assert metadata[f"{name}_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert {"authorization_code", "refresh_token"} <= set(metadata["grant_types_supported"])
    assert metadata.get("require_signed_request_object", False) is signed
    authentication = ("token_endpoint_auth", "introspection_endpoint_auth", "revocation_endpoint_auth")
    for name in ("dpop", "request_object", *authentication):
        assert set(metadata[f"{name}_signing_alg_values_supported"]) == FAPI2_ALGS
    assert set(metadata["id_token_signing_alg_values_supported"]) <= FAPI2_ALGS
    assert metadata["subject_types_supported"] == ["public"]
    assert "openid" in metadata["scopes_supported"]
    assert set(metadata) <= REGISTERED
