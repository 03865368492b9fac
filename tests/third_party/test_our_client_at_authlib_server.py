"""AuthorizationCodeClient at a server on Authlib alone: no PAR, no DPoP, no iss in answers, tokens of its own kind."""

import time
from dataclasses import dataclass, field

import flask
import pytest
import requests
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import ECKey, RSAKey

from flask_private_key_jwt.client import AuthorizationCodeClient, MappingTokenStore, SignInError, TokenRequestError
from tests.third_party.conftest import serving

CALLBACK = "https://app.example/callback"
METHODS = ["none", "client_assertion_jwt"]


@dataclass
class Client:
    """A client of the server, as Authlib wants it."""

    key: object
    client_id: str = "web"

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == CALLBACK

    def check_client_secret(self, _secret):
        return False

    def check_endpoint_auth_method(self, method, _endpoint):
        return method in METHODS

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, _grant_type):
        return True


@dataclass
class Code:
    """A code that was given out."""

    code: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return None


@dataclass
class GivenToken:
    """A refresh token that was given out."""

    scope: str
    revoked: bool = False

    def get_scope(self):
        return self.scope

    def check_client(self, _client):
        return True


class User:
    id = "alice"


def make_server(url, key):  # noqa: C901  # many small functions
    """The server, made as Authlib's documentation shows it."""
    app = flask.Flask("authlib_server")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    codes, refresh_tokens, client, signing_key = {}, {}, Client(key), RSAKey.generate_key(2048, {"kid": "k1"})
    app.codes, app.refresh_tokens = codes, refresh_tokens

    def save_token(token, _request):
        if "refresh_token" in token:
            refresh_tokens[token["refresh_token"]] = GivenToken(token["scope"])

    server = AuthorizationServer(app, lambda client_id: client if client_id == "web" else None, save_token)

    class CodeGrant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = METHODS

        def save_authorization_code(self, code, request):
            sent = request.payload.data
            codes[code] = Code(
                code,
                sent["redirect_uri"],
                request.payload.scope,
                sent.get("nonce"),
                sent["code_challenge"],
                sent["code_challenge_method"],
            )

        def query_authorization_code(self, code, _client):
            return codes.get(code)

        def delete_authorization_code(self, code):
            del codes[code.code]

        def authenticate_user(self, _code):
            return User()

    class Refresh(RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = METHODS
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, token):
            known = refresh_tokens.get(token)
            return None if known is None or known.revoked else known

        def authenticate_user(self, _credential):
            return User()

        def revoke_old_credential(self, credential):
            credential.revoked = True

    class OpenID(OpenIDCode):
        def exists_nonce(self, _nonce, _request):
            return False

        def get_client_algorithm(self, _client):
            return "RS256"

        def resolve_client_private_key(self, _client):
            return signing_key

        def get_encode_header(self, _client):
            return {"alg": "RS256", "kid": "k1"}

        def get_client_claims(self, _client):
            return {"iss": url}

        def generate_user_info(self, user, _scope):
            return UserInfo(sub=user.id)

    class Assertion(JWTBearerClientAssertion):
        used = set()

        def get_audiences(self):
            return [url]

        def validate_jti(self, _claims, jti):
            return jti not in self.used and not self.used.add(jti)

        def resolve_client_public_key(self, found):
            return ECKey.import_key(found.key.public_jwk())

    class Revocation(RevocationEndpoint):
        CLIENT_AUTH_METHODS = METHODS

        def query_token(self, token, _hint):
            return refresh_tokens.get(token)

        def revoke_token(self, token, _request):
            token.revoked = True

    server.register_client_auth_method(Assertion.CLIENT_AUTH_METHOD, Assertion())
    server.register_grant(CodeGrant, [OpenID(), CodeChallenge(required=True)])
    server.register_grant(Refresh)
    server.register_endpoint(Revocation)

    @app.get("/authorize")
    def authorize():
        grant = server.get_consent_grant(end_user=User())
        return server.create_authorization_response(grant_user=User(), grant=grant)

    app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
    app.add_url_rule("/revoke", "revoke", lambda: server.create_endpoint_response("revocation"), methods=["POST"])
    app.add_url_rule("/jwks", "jwks", lambda: {"keys": [signing_key.as_dict(private=False)]})

    @app.get("/.well-known/openid-configuration")
    def describe():
        endpoints = {"authorization": "authorize", "token": "token", "revocation": "revoke"}
        return {
            "issuer": url,
            **{f"{name}_endpoint": f"{url}/{path}" for name, path in endpoints.items()},
            "jwks_uri": f"{url}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "none"],
        }

    return app


@pytest.fixture(scope="module")
def served(keys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        with serving(lambda url: make_server(url, keys("ES256", "at authlib"))) as (url, app):
            yield url, app


@pytest.fixture(params=["confidential", "public"])
def client(request, served, keys):
    key = keys("ES256", "at authlib") if request.param == "confidential" else None
    return AuthorizationCodeClient(served[0], "web", key=key, dpop=False, allow_missing_iss=True)


def start(client):
    return client.start(CALLBACK, scope="openid profile offline_access")


def come_back(request):
    return requests.get(request.url, allow_redirects=False, timeout=5).headers["Location"]


def test_person_signs_in_refreshes_and_signs_out(client, served):
    request = start(client)
    tokens = client.finish(come_back(request), request.pending)
    assert (tokens.subject, tokens.token.token_type, tokens.claims["iss"]) == ("alice", "Bearer", served[0])

    store = MappingTokenStore({})
    store.save(tokens)
    auth = client.auth(store, origin="https://api.example")
    auth._access._tokens.forget(tokens.token.access_token)
    assert auth.token().access_token != tokens.token.access_token
    renewed = store.load()
    assert (renewed.subject, renewed.refresh_token != tokens.refresh_token) == ("alice", True)

    client.sign_out(store)
    assert served[1].refresh_tokens[renewed.refresh_token].revoked


def test_by_default_neither_its_answers_nor_its_tokens_are_used(served, keys):
    strict = AuthorizationCodeClient(served[0], "web", key=keys("ES256", "at authlib"))
    request = start(strict)
    with pytest.raises(SignInError) as caught:
        strict.finish(come_back(request), request.pending)
    assert caught.value.cause == "sign_in_iss_missing"

    bound = AuthorizationCodeClient(served[0], "web", key=keys("ES256", "at authlib"), allow_missing_iss=True)
    request = start(bound)
    with pytest.raises(TokenRequestError, match="it may not support DPoP"):
        bound.finish(come_back(request), request.pending)


def test_code_of_another_sign_in_is_refused(client):
    one, other = start(client), start(client)
    code = dict(part.split("=") for part in come_back(one).partition("?")[2].split("&"))["code"]

    with pytest.raises(SignInError) as caught:
        client.finish({"code": code, "state": other.pending.state}, other.pending)
    assert (caught.value.cause, caught.value.error) == ("sign_in_code_refused", "invalid_grant")
