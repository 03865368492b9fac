"""The server metadata describes what the server does, and is the same for everybody (RFC 8414)."""

import pytest
from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.authorization_server.endpoints.answers import assert_json_never_stored, assert_refused
from tests.conftest import API, CLIENT_ID, ISSUER, TOKEN_URL, close, make_app
from tests.refusals import causes

PATH = "/.well-known/oauth-authorization-server"


@pytest.fixture
def http(app):
    return app.test_client()


@pytest.fixture
def document(http):
    return http.get(PATH).json


# --- the document -----------------------------------------------------------------------------------------
def test_document_says_what_the_server_does(document):
    assert document == {
        "issuer": ISSUER,
        "token_endpoint": TOKEN_URL,
        "introspection_endpoint": f"{ISSUER}/oauth2/introspect",
        "revocation_endpoint": f"{ISSUER}/oauth2/revoke",
        "jwks_uri": f"{ISSUER}/oauth2/jwks",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC_ALGS),
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC_ALGS),
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC_ALGS),
        "dpop_signing_alg_values_supported": list(ASYMMETRIC_ALGS),
        "protected_resources": [API],
    }


SECRETS = pytest.mark.parametrize("settings", [{"OAUTH2_CLIENT_SECRETS_UNTIL": "2027-01-16"}])
WITH_SECRETS = ["private_key_jwt", "client_secret_jwt", "client_secret_basic", "client_secret_post"]


@SECRETS
@pytest.mark.parametrize("name", ["token", "introspection", "revocation"])
def test_secrets_are_advertised_until_their_date(name, http, clock, settings):
    document = http.get(PATH).json
    assert document[f"{name}_endpoint_auth_methods_supported"] == WITH_SECRETS
    algs = [*ASYMMETRIC_ALGS, "HS256", "HS384", "HS512"]
    assert document[f"{name}_endpoint_auth_signing_alg_values_supported"] == algs
    clock.move(16 * 3600 - 1)
    assert http.get(PATH).json == document

    clock.move(1)

    after = http.get(PATH).json
    assert after[f"{name}_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert after[f"{name}_endpoint_auth_signing_alg_values_supported"] == list(ASYMMETRIC_ALGS)


@SECRETS
def test_secrets_change_nothing_else_of_the_document(http, clock, settings):
    before = http.get(PATH).json
    clock.move(86400)
    after = http.get(PATH).json

    assert {name for name in before if before[name] != after.get(name)} == {
        f"{endpoint}_endpoint_auth_{what}"
        for endpoint in ("token", "introspection", "revocation")
        for what in ("methods_supported", "signing_alg_values_supported")
    }
    assert "HS256" not in str([before["dpop_signing_alg_values_supported"]])


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read", "write"]}])
def test_scopes_are_advertised_where_they_are_declared(document):
    assert document["scopes_supported"] == ["read", "write"]


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": None}])
def test_no_member_is_null_or_empty_but_the_required_one(document):
    assert [name for name, value in document.items() if not value] == ["response_types_supported"]


@pytest.mark.parametrize("settings", [{"OAUTH2_URL_PREFIX": "/auth/v2"}])
def test_endpoints_are_where_the_prefix_says(document, http):
    assert document["token_endpoint"] == f"{ISSUER}/auth/v2/token"
    assert http.get("/auth/v2/jwks").status_code == 200
    assert http.get("/oauth2/jwks").status_code == 404


def test_grant_of_the_application_is_advertised(oauth, http):
    class Own(BaseGrant, TokenEndpointMixin):
        GRANT_TYPE = "urn:example:own"
        TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

        def validate_token_request(self):
            self.request.client = self.authenticate_token_endpoint_client()

    oauth.register_grant(Own)

    assert http.get(PATH).json["grant_types_supported"] == ["urn:example:own", "client_credentials"]


# --- an issuer with a path: it names where the app is mounted (RFC 8414 §3.1) ---------------------------------
@pytest.mark.parametrize(
    "settings", [{"OAUTH2_ISSUER": f"{ISSUER}/tenant/one"}, {"OAUTH2_ISSUER": f"{ISSUER}/tenant/one/"}]
)
@pytest.mark.parametrize("path", [f"{PATH}/tenant/one", PATH])
def test_document_of_an_issuer_with_a_path_is_below_the_well_known_name(path, settings, http):
    document = http.get(path).json

    assert document["issuer"] == settings["OAUTH2_ISSUER"]
    assert document["token_endpoint"] == f"{ISSUER}/tenant/one/oauth2/token"
    assert document["jwks_uri"] == f"{ISSUER}/tenant/one/oauth2/jwks"


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": f"{ISSUER}/tenant"}])
@pytest.mark.parametrize("mount", ["", "/tenant"])
def test_endpoints_answer_mounted_or_behind_a_proxy_that_leaves_the_path(mount, http):
    path, root = ("/oauth2/jwks", mount) if mount else ("/tenant/oauth2/jwks", "")

    assert http.get(path, environ_overrides={"SCRIPT_NAME": root}).status_code == 200


@pytest.mark.parametrize("path", [f"{PATH}/other", f"{PATH}/", "/.well-known/oauth-authorization-server/tenant"])
def test_document_of_another_issuer_is_not_found(path, http):
    assert http.get(path).status_code == 404


# --- advertised means accepted --------------------------------------------------------------------------------
SOME = ["ES256", "PS384", "EdDSA"]
NARROWED = pytest.mark.parametrize(
    "settings", [{"OAUTH2_ASSERTION_SIGNING_ALGS": SOME, "OAUTH2_DPOP_SIGNING_ALGS": SOME[::-1]}]
)


@pytest.fixture
def ask_with(app, oauth, ask_token, build_assertion, keys):
    """A token request whose assertion is signed with the given algorithm."""

    def ask_with(alg):
        with app.app_context():
            jwks = {"keys": [keys("ES256").public_jwk(), keys(alg).public_jwk()]}
            oauth.clients.update(CLIENT_ID, {"jwks": jwks})
        return ask_token(assertion=build_assertion(key=keys(alg)))

    return ask_with


@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_every_advertised_assertion_algorithm_works(alg, document, ask_with):
    assert alg in document["token_endpoint_auth_signing_alg_values_supported"]
    assert ask_with(alg).status_code == 200


@NARROWED
@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_assertion_algorithm_works_exactly_if_it_is_advertised(alg, document, ask_with, refusals):
    advertised = document["token_endpoint_auth_signing_alg_values_supported"]
    assert advertised == SOME

    answer = ask_with(alg)

    if alg in advertised:
        assert answer.status_code == 200
    else:
        assert_refused(
            answer, "invalid_client", refusals, "assertion_alg", says=f"assertion: alg {alg!r} is not accepted"
        )


@NARROWED
@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_proof_algorithm_works_exactly_if_it_is_advertised(alg, document, ask_token, build_dpop, keys, refusals):
    advertised = document["dpop_signing_alg_values_supported"]
    assert advertised == SOME[::-1]

    answer = ask_token(proof=build_dpop(key=keys(alg)))

    if alg in advertised:
        assert answer.json["token_type"] == "DPoP"
    else:
        assert_refused(answer, "invalid_dpop_proof", refusals, "proof_alg", says=f"proof: alg {alg!r} is not accepted")


def test_every_advertised_endpoint_answers(document, http):
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"):
        assert http.options(document[name].removeprefix(ISSUER)).status_code == 204


# --- how it is served ---------------------------------------------------------------------------------------
DOCUMENTS = pytest.mark.parametrize(
    ("path", "content_type"), [(PATH, "application/json"), ("/oauth2/jwks", "application/jwk-set+json")]
)


@DOCUMENTS
def test_document_is_public_and_may_be_kept_for_minutes(path, content_type, http):
    answer = http.get(path)

    assert answer.status_code == 200
    assert answer.headers.getlist("Content-Type") == [content_type]
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers


@DOCUMENTS
def test_document_that_has_not_changed_is_not_sent_again(path, content_type, http):
    etag = http.get(path).headers["ETag"]

    unchanged = http.get(path, headers={"If-None-Match": f'"other", {etag}'})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert unchanged.headers["Cache-Control"] == "public, max-age=300"
    assert http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@DOCUMENTS
def test_malformed_conditions_are_no_trouble(path, content_type, http):
    for header in ("If-None-Match", "If-Match", "If-Modified-Since", "Range", "If-Range", "Accept"):
        for value in ("", "x", "*", '"', "W/", "\xff", "," * 5000):
            assert http.get(path, headers={header: value}).status_code in (200, 304, 412)


@DOCUMENTS
def test_head_is_get_without_the_body(path, content_type, http):
    answer, head = http.get(path), http.head(path)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.data))
    assert head.headers["ETag"] == answer.headers["ETag"]


@DOCUMENTS
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "FOO"])
def test_other_methods_are_refused(method, path, content_type, http, refusals):
    answer = http.open(path, method=method, data={"a": "b"})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert_json_never_stored(answer)
    assert refusals == [f"method {method!r}"]
    assert causes(refusals) == ["method_not_allowed"]


@DOCUMENTS
@pytest.mark.parametrize("query", ["?x=1", "?issuer=https://evil.example", "?%ff"])
def test_query_changes_nothing(query, path, content_type, http):
    assert http.get(path + query).data == http.get(path).data


@DOCUMENTS
@pytest.mark.parametrize(
    "forged",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": "/evil"},
        {"Forwarded": "host=evil.example"},
        {"Host": "evil.example:99999"},
    ],
)
def test_nothing_comes_from_host_or_proxy_headers(forged, path, content_type, http):
    answer = http.get(path, headers=forged)

    assert answer.data == http.get(path).data
    assert "evil" not in str(answer.headers)


# --- the keys -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({"OAUTH2_SIGNING_ALG": "ES256"}, {"kty": "EC", "crv": "P-256", "alg": "ES256"}),
        ({"OAUTH2_SIGNING_ALG": "ES384"}, {"kty": "EC", "crv": "P-384", "alg": "ES384"}),
        ({"OAUTH2_SIGNING_ALG": "PS256"}, {"kty": "RSA", "alg": "PS256"}),
        ({"OAUTH2_SIGNING_ALG": "EdDSA"}, {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"}),
    ],
)
def test_published_keys_are_public_and_say_what_they_are_for(members, http):
    document = http.get("/oauth2/jwks").json

    (key,) = document["keys"]
    assert members.items() <= key.items()
    assert key["use"] == "sig"
    assert key["kid"]
    assert set(key) <= {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"}
    assert list(document) == ["keys"]
    assert "n" not in key or len(key["n"]) >= 342  # 2048 bits


def test_keys_are_the_same_for_every_process_on_the_database(server, http):
    app, _, db = server
    with app.app_context():
        engine = db.engine.url
    other, _, other_db = make_app(str(engine))
    try:
        assert other.test_client().get("/oauth2/jwks").data == http.get("/oauth2/jwks").data
    finally:
        close(other, other_db)
