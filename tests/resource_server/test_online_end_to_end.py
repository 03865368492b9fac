"""``online=True`` with the real token server: a revoked token is refused by the API."""

import pytest

from flask_private_key_jwt.client import TokenClient
from tests.conftest import API, close, make_app
from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_TOKEN, UNAVAILABLE
from tests.resource_server.introspection_server import serving

CACHE = 10
INACTIVE = (
    "the issuer says that the token is not active: it counts no longer, or the issuer does not let 'the-api' "
    f"introspect tokens for {API!r}"
)


class Later:
    """A WSGI app that is made when its URL is known."""

    url = ""
    app = None

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


@pytest.fixture
def token_server(tmp_path):
    """The token server on real HTTP: its URL, its app and its extension."""
    with serving(Later()) as served:
        served.app, oauth, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", OAUTH2_ISSUER=served.url)
        yield served.url, served.app, oauth
        close(served.app, db)


@pytest.fixture
def issuer_url(token_server):
    return token_server[0]


@pytest.fixture
def in_token_server(token_server):
    """Do something as its operator: ``in_token_server(lambda clients: clients.disable("console"))``."""

    def do(action):
        _, app, oauth = token_server
        with app.app_context():
            return action(oauth.clients)

    return do


@pytest.fixture
def resources():
    """What the API may ask about."""
    return [API]


@pytest.fixture
def api_key(keys):
    return keys("ES256", "api")


@pytest.fixture(autouse=True)
def clients(in_token_server, client_key, api_key, resources):
    def add(clients):
        clients.add({"client_id": "console", "jwks": {"keys": [client_key.public_jwk()]}, "scope": "read"})
        jwks = {"keys": [api_key.public_jwk()]}
        clients.add({"client_id": "the-api", "jwks": jwks, "introspection_resources": resources})

    in_token_server(add)


@pytest.fixture
def issuer():
    """Nothing stands in for it: the keys are the token server's own, fetched."""


@pytest.fixture
def app(make_caller, issuer_url, api_key):
    key = api_key.as_pem().decode()
    return make_caller(OAUTH2_ISSUER=issuer_url, OAUTH2_CLIENT_ID="the-api", OAUTH2_CLIENT_KEY=key).app


@pytest.fixture
def console(issuer_url, client_key):
    return TokenClient(issuer_url, "console", key=client_key)


def test_what_is_revoked_at_the_token_server_opens_nothing_at_the_api(console, call, clock, refusals):
    token = console.request_token(scope="read", resource=API).access_token
    assert call.bearer(token, path="/online").json == {"client": "console"}
    console.revoke_token(token)
    assert call.bearer(token, path="/online").status_code == 200  # for as long as the last word is good

    clock.move(CACHE)

    assert call.bearer(token, path="/online").json == INVALID_TOKEN
    assert call.bearer(token, path="/read").status_code == 200  # who does not ask does not know
    assert refusals == [INACTIVE]
    assert causes(refusals) == ["token_inactive"]


def test_a_bound_token_is_asked_about_and_revoked_without_a_proof(
    issuer_url, client_key, proof_key, call, build_proof, clock, refusals
):
    console = TokenClient(issuer_url, "console", key=client_key, dpop_key=proof_key)
    token = console.request_token(scope="read", resource=API).access_token
    assert call.dpop(token, path="/online").status_code == 200
    console.revoke_token(token, token_type_hint="access_token")
    clock.move(CACHE)

    assert call.dpop(token, path="/online").json == INVALID_TOKEN
    assert refusals == [INACTIVE]
    assert causes(refusals) == ["token_inactive"]


def test_a_disabled_client_s_token_opens_nothing(console, call, in_token_server, refusals):
    token = console.request_token(scope="read", resource=API).access_token
    in_token_server(lambda clients: clients.disable("console"))

    assert call.bearer(token, path="/online").json == INVALID_TOKEN
    assert refusals == [INACTIVE]
    assert causes(refusals) == ["token_inactive"]


@pytest.mark.parametrize("resources", [[]])
def test_an_api_that_may_not_ask_learns_nothing(console, call, refusals):
    token = console.request_token(scope="read", resource=API).access_token

    assert call.bearer(token, path="/online").json == INVALID_TOKEN
    assert refusals == [INACTIVE]
    assert causes(refusals) == ["token_inactive"]


def test_an_api_that_is_disabled_there_is_unavailable(console, call, in_token_server, refusals):
    token = console.request_token(scope="read", resource=API).access_token
    in_token_server(lambda clients: clients.disable("the-api"))

    assert call.bearer(token, path="/online").json == UNAVAILABLE
    assert "The introspection endpoint refused with 401 invalid_client" in refusals[0]
    assert refusals[0].cause == "issuer_unavailable"
