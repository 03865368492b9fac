"""``/.well-known/smart-configuration`` at the authorization server."""

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tests.conftest import ISSUER, make_app
from tests.refusals import causes

PATH = "/.well-known/smart-configuration"
SMART = {"OAUTH2_PROFILE": "smart", "OAUTH2_REPLAY_STORE": "sql"}
BACKEND = "client-confidential-asymmetric"


@pytest.mark.parametrize("settings", [{**SMART, "OAUTH2_SCOPES": ["system/*.rs"]}])
def test_backend_service_finds_what_it_needs(app):
    answer = app.test_client().get(PATH, headers={"Accept": "application/json"})

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    algs = answer.json.pop("token_endpoint_auth_signing_alg_values_supported")
    assert {"RS384", "ES384"} <= set(algs)
    assert answer.json == {
        "token_endpoint": f"{ISSUER}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "grant_types_supported": ["client_credentials"],
        "introspection_endpoint": f"{ISSUER}/oauth2/introspect",
        "revocation_endpoint": f"{ISSUER}/oauth2/revoke",
        "scopes_supported": ["system/*.rs"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": [BACKEND],
        "token_endpoint_auth_signing_alg_values_supported": algs,
    }


@pytest.mark.parametrize(
    "settings", [{**SMART, "OAUTH2_SMART_CAPABILITIES": [BACKEND, "sso-openid-connect", "permission-v2"]}]
)
def test_apps_find_the_authorization_endpoint_and_the_capabilities_that_are_set(app, people):
    document = app.test_client().get(PATH).json

    assert document["capabilities"] == [BACKEND, "sso-openid-connect", "permission-v2"]
    assert document["authorization_endpoint"] == f"{ISSUER}/oauth2/authorize"
    assert (document["issuer"], document["jwks_uri"]) == (ISSUER, f"{ISSUER}/oauth2/jwks")
    assert document["response_types_supported"] == ["code"]
    assert "authorization_code" in document["grant_types_supported"]


@pytest.mark.parametrize("settings", [{}, {"OAUTH2_PROFILE": "fapi2", "OAUTH2_REPLAY_STORE": "sql"}])
def test_without_the_profile_there_is_no_document(app):
    assert app.test_client().get(PATH).status_code == 404


@pytest.mark.parametrize("settings", [SMART])
def test_other_method_is_refused(app, refusals):
    answer = app.test_client().post(PATH)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert causes(refusals) == ["method_not_allowed"]


@pytest.mark.parametrize("settings", [SMART])
def test_document_is_for_every_page(app):
    http = app.test_client()
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}

    assert http.get(PATH, headers=headers).headers["Access-Control-Allow-Origin"] == "*"
    assert http.options(PATH, headers=headers).headers["Access-Control-Allow-Methods"] == "GET, HEAD"


def test_document_stands_below_the_path_of_the_issuer(tmp_path):
    app, _, db = make_app(
        f"sqlite:///{tmp_path}/as.sqlite", **{**SMART, "OAUTH2_ISSUER": "https://ehr.example/tenant/1"}
    )
    mounted = Client(DispatcherMiddleware(flask.Flask("root"), {"/tenant/1": app}))

    for http in (mounted, app.test_client()):
        document = http.get(f"/tenant/1{PATH}").json
        assert document["token_endpoint"] == "https://ehr.example/tenant/1/oauth2/token"
        assert http.get(f"{PATH}/tenant/1").status_code == 404  # never before it
    with app.app_context():
        db.engine.dispose()
