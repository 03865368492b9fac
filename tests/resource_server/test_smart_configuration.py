"""``/.well-known/smart-configuration`` at an API, which is a FHIR server to its clients."""

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.fetching.discovery import DiscoveryError, ServerMetadata
from flask_private_key_jwt.resource_server import issuer_metadata
from flask_private_key_jwt.resource_server.smart_configuration import find_paths
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.resource import ResourceSettings
from tests.conftest import make_app
from tests.refusals import causes, noting_refusals
from tests.resource_server.frameworks import FRAMEWORKS

PATH = "/.well-known/smart-configuration"
ISSUER = "https://as.example"
FHIR = "https://ehr.example/fhir/r4"
METADATA = {
    "issuer": ISSUER,
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "grant_types_supported": ["client_credentials"],
    "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
    "response_types_supported": [],
    "dpop_signing_alg_values_supported": ["ES256"],
}
BACKEND = "client-confidential-asymmetric"


class Issuer:
    """Stands in for discovery."""

    def __init__(self):
        self.metadata = dict(METADATA)
        self.away = False
        self.asked = 0

    def fetch(self, issuer, *, timeout, outbound):
        self.asked += 1
        if self.away:
            raise DiscoveryError("the issuer is away")
        return ServerMetadata(issuer, self.metadata)


@pytest.fixture
def issuer(monkeypatch):
    made = Issuer()
    monkeypatch.setattr(issuer_metadata, "fetch_metadata", made.fetch)
    return made


def make_api(**config):
    app = flask.Flask("fhir")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=FHIR, OAUTH2_PROFILE="smart", **config)
    ResourceProtector().init_app(app)
    return app


def test_client_finds_the_token_endpoint_below_the_resource(issuer):
    answer = make_api().test_client().get(f"/fhir/r4{PATH}", headers={"Accept": "application/json"})

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json == {
        "token_endpoint": f"{ISSUER}/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": [BACKEND],
    }


def test_capabilities_are_those_of_the_api(issuer):
    app = make_api(OAUTH2_SMART_CAPABILITIES=[BACKEND, "permission-v2", "sso-openid-connect"])

    document = app.test_client().get(f"/fhir/r4{PATH}").json

    assert document["capabilities"] == [BACKEND, "permission-v2", "sso-openid-connect"]
    assert (document["issuer"], document["jwks_uri"]) == (ISSUER, f"{ISSUER}/jwks")


def test_sign_in_that_the_application_requires_does_not_hide_the_document(issuer):
    app = make_api()
    app.before_request(lambda: flask.abort(401))

    assert app.test_client().get(f"/fhir/r4{PATH}").status_code == 200


@pytest.mark.parametrize("path", [PATH, f"{PATH}/fhir/r4", f"/fhir{PATH}", f"/fhir/r4/x{PATH}", f"/fhir/r4{PATH}/"])
def test_document_is_nowhere_else(path, issuer):
    assert make_api().test_client().get(path).status_code == 404


def test_document_is_found_where_the_app_is_mounted(issuer):
    app = make_api(OAUTH2_EXTERNAL_URL="https://ehr.example/fhir")
    mounted = Client(DispatcherMiddleware(flask.Flask("root"), {"/fhir": app}))

    assert mounted.get(f"/fhir/r4{PATH}").json["token_endpoint"] == f"{ISSUER}/token"
    assert mounted.get(f"/r4{PATH}").status_code == 404


@pytest.mark.parametrize(
    ("resource", "external", "paths"),
    [
        ("https://ehr.example", None, [PATH]),
        ("https://ehr.example/", None, [PATH]),
        (FHIR, None, [f"/fhir/r4{PATH}"]),
        (f"{FHIR}/", FHIR, [f"/fhir/r4{PATH}", PATH]),
        (FHIR, "https://ehr.example/fhi", [f"/fhir/r4{PATH}"]),
        (f"{FHIR}?x", None, [f"/fhir/r4{PATH}"]),
        ("https://ehr.example/%C3%BC", None, [f"/ü{PATH}"]),
        ("urn:example:fhir", "https://ehr.example", []),
    ],
)
def test_paths_follow_the_resource(resource, external, paths):
    config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": resource, "OAUTH2_EXTERNAL_URL": external}

    assert find_paths(read(config, ResourceSettings)) == paths


def test_without_the_profile_there_is_no_document(issuer):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=FHIR)
    ResourceProtector().init_app(app)

    assert app.test_client().get(f"/fhir/r4{PATH}").status_code == 404
    assert issuer.asked == 0


def test_other_method_is_refused(issuer):
    app = make_api()
    with noting_refusals(app) as refusals:
        answer = app.test_client().post(f"/fhir/r4{PATH}")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert causes(refusals) == ["method_not_allowed"]


def test_document_is_for_every_page(issuer):
    http, headers = make_api().test_client(), {"Origin": "null", "Access-Control-Request-Method": "GET"}

    assert http.get(f"/fhir/r4{PATH}", headers=headers).headers.getlist("Access-Control-Allow-Origin") == ["*"]
    answer = http.options(f"/fhir/r4{PATH}", headers=headers)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"


def test_preflight_does_not_ask_the_issuer_and_succeeds_while_it_is_away(issuer):
    issuer.away = True
    answer = (
        make_api()
        .test_client()
        .options(f"/fhir/r4{PATH}", headers={"Origin": "https://app.example", "Access-Control-Request-Method": "GET"})
    )

    assert (answer.status_code, answer.data, issuer.asked) == (204, b"", 0)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


# --- the issuer ------------------------------------------------------------------------------------------------------
def test_issuer_is_asked_once_until_the_answer_is_old(issuer, clock):
    http = make_api(OAUTH2_JWKS_CACHE_SECONDS=300).test_client()

    http.get(f"/fhir/r4{PATH}")
    clock.move(299)
    http.get(f"/fhir/r4{PATH}")
    assert issuer.asked == 1

    issuer.metadata["token_endpoint"] = f"{ISSUER}/moved"
    clock.move(1)
    assert http.get(f"/fhir/r4{PATH}").json["token_endpoint"] == f"{ISSUER}/moved"
    assert issuer.asked == 2


def test_old_answer_is_used_while_the_issuer_is_away(issuer, clock):
    app = make_api(OAUTH2_JWKS_CACHE_SECONDS=300, OAUTH2_JWKS_STALE_SECONDS=600)
    http = app.test_client()
    http.get(f"/fhir/r4{PATH}")
    issuer.away = True

    clock.move(899)
    assert http.get(f"/fhir/r4{PATH}").status_code == 200

    clock.move(1)
    with noting_refusals(app) as refusals:
        answer = http.get(f"/fhir/r4{PATH}", headers={"Origin": "https://app.example"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (503, "*")
    assert causes(refusals) == ["issuer_metadata_unavailable"]


def test_issuer_that_is_away_is_not_asked_by_every_request(issuer, clock):
    http = make_api().test_client()
    issuer.away = True

    assert [http.get(f"/fhir/r4{PATH}").status_code for _ in range(5)] == [503] * 5
    assert issuer.asked == 1

    issuer.away = False
    clock.move(2)
    assert http.get(f"/fhir/r4{PATH}").status_code == 200


@pytest.mark.parametrize("url", [None, "http://as.example/token", "javascript:alert(1)", 1])
def test_issuer_without_a_token_endpoint_that_may_be_used_is_away(url, issuer):
    app = make_api()
    issuer.metadata["token_endpoint"] = url

    with noting_refusals(app) as refusals:
        assert app.test_client().get(f"/fhir/r4{PATH}").status_code == 503
    assert causes(refusals) == ["issuer_metadata_unavailable"]


def test_server_in_the_same_app_is_not_asked_over_http(issuer, tmp_path):
    app, _, db = make_app(
        f"sqlite:///{tmp_path}/both.sqlite",
        OAUTH2_PROFILE="smart",
        OAUTH2_REPLAY_STORE="sql",
        OAUTH2_RESOURCE="https://as.example/fhir",
    )
    ResourceProtector().init_app(app)

    below_issuer, below_resource = (app.test_client().get(path + PATH).json for path in ("", "/fhir"))

    assert below_issuer == below_resource
    assert below_issuer["token_endpoint"] == f"{ISSUER}/oauth2/token"
    assert issuer.asked == 0
    with app.app_context():
        db.engine.dispose()


# --- without Flask --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("framework", ["wsgi", "asgi", "starlette", "fastapi", "quart"])
def test_an_api_without_flask_has_the_same_document(issuer, framework):
    config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": FHIR, "OAUTH2_PROFILE": "smart", "OAUTH2_REPLAY_STORE": None}
    api = FRAMEWORKS[framework](config)
    client = api.test_client()
    try:
        for _ in range(2):
            answer = client.get(f"/fhir/r4{PATH}")
            assert answer.status_code == 200
            assert answer.json == make_api().test_client().get(f"/fhir/r4{PATH}").json
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert client.post(f"/fhir/r4{PATH}").status_code == 405
    finally:
        api.close()


def test_an_issuer_that_is_away_is_unavailable_without_flask(issuer):
    issuer.away = True
    config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": FHIR, "OAUTH2_PROFILE": "smart", "OAUTH2_REPLAY_STORE": None}
    api = FRAMEWORKS["asgi"](config)
    try:
        with noting_refusals(api.sender) as refusals:
            assert api.test_client().get(f"/fhir/r4{PATH}").status_code == 503
    finally:
        api.close()
    assert causes(refusals) == ["issuer_metadata_unavailable"]
