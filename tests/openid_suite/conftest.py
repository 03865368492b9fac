"""The server under the profile fapi2 with an API, two clients and a person: what the suite's plans set up.

One server for many tests, with DPoP nonces and without, and in both plans: with requests that are not signed, and with
requests that have to be (Message Signing). Every test has a person and a proof key of its own.
"""

import secrets
from itertools import product
from urllib.parse import urlencode

import flask
import pytest

from flask_private_key_jwt import ResourceProtector, clock, current_token, note_sign_in
from tests.conftest import SECRET, START
from tests.openid_suite.relying_party import CALLBACK, ISSUER, OPENID_SCOPE, Browser, RelyingParty
from tests.openid_suite.signing_party import SigningParty
from tests.refusals import noting_refusals
from tests.tables import create_tables, make_extension

ALGS = ("PS256", "ES256")


class User:
    def __init__(self, name):
        self.name = name

    def get_id(self):
        return self.name


def add_people(app, oauth):
    """The application's part: who is signed in, and where they sign in."""

    @oauth.user
    def load_user():
        name = flask.session.get("user")
        return User(name) if name else None

    @oauth.sign_in
    def send_to_sign_in(page):
        return flask.redirect(f"/sign-in?{urlencode({'next': page.return_url})}")

    @app.post("/sign-in")
    def sign_in():
        flask.session["user"] = flask.request.form["name"]
        note_sign_in()
        return flask.redirect(flask.request.args["next"], 303)


def make_server(folder, *, nonces, signed):
    app = flask.Flask("authorization_server")
    app.config.from_mapping(
        SECRET_KEY=SECRET,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/as.sqlite",
        OAUTH2_PROFILE="fapi2",
        OAUTH2_ISSUER=ISSUER,
        OAUTH2_RESOURCES=[ISSUER],
        OAUTH2_RESOURCE=ISSUER,
        OAUTH2_DPOP_NONCE="required" if nonces else "off",
        OAUTH2_REQUIRE_SIGNED_REQUESTS=signed,
    )
    db, oauth = make_extension()
    db.init_app(app)
    oauth.init_app(app)
    add_people(app, oauth)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.get("/accounts")(require_oauth("accounts")(lambda: {"subject": current_token["sub"]}))
    with app.app_context():
        create_tables(db.engine)
    return app, oauth, db


@pytest.fixture(scope="session")
def _servers(tmp_path_factory, keys):
    """A server for each way with nonces and signatures, its clients registered: ``servers[nonces, signed]``."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: START)
        for nonces, signed in product((False, True), repeat=2):
            folder = tmp_path_factory.mktemp("suite")
            app, oauth, db = made[nonces, signed] = make_server(folder, nonces=nonces, signed=signed)
            with app.app_context():
                for alg in ALGS:
                    for number in (1, 2):
                        register(oauth, keys, alg, number)
    yield {variant: app for variant, (app, _, _) in made.items()}
    for app, _, db in made.values():
        with app.app_context():
            db.engine.dispose()


def register(oauth, keys, alg, number):
    """Client 2 has a redirect URI with a query, which has to survive."""
    oauth.clients.add(
        {
            "client_id": f"{alg}-client-{number}",
            "jwks": {"keys": [keys(alg, f"suite client {number}").public_jwk()]},
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [redirect_uri_of(number)],
            "scope": OPENID_SCOPE,
        }
    )


def redirect_uri_of(number):
    return CALLBACK if number == 1 else f"{CALLBACK}?dummy1=lorem&dummy2=ipsum"


@pytest.fixture
def alg():
    """The suite's usual algorithm; a test parametrizes it where the algorithm matters."""
    return "PS256"


@pytest.fixture
def nonces():
    """Whether proofs need nonces; a test parametrizes it where DPoP is the point."""
    return False


@pytest.fixture(params=[False, True], ids=["unsigned", "signed"])
def signed(request):
    """Whether requests are signed: every module is run in both plans, but those of one alone."""
    return request.param


@pytest.fixture
def app(_servers, nonces, signed):
    return _servers[nonces, signed]


@pytest.fixture
def browser(app):
    return Browser(app, f"person-{secrets.token_hex(4)}")


@pytest.fixture
def make_client(app, browser, alg, signed, keys):
    def make(number):
        key, proof_key = keys(alg, f"suite client {number}"), keys(alg, f"suite proof {number}")
        known = (app, f"{alg}-client-{number}", key, proof_key, redirect_uri_of(number), browser)
        return SigningParty(*known, is_second=number == 2) if signed else RelyingParty(*known)

    return make


@pytest.fixture
def client(make_client):
    return make_client(1)


@pytest.fixture
def client2(make_client):
    return make_client(2)


@pytest.fixture
def other_key(alg, keys):
    """A proof key of neither client."""
    return keys(alg, "suite proof 3")


@pytest.fixture
def refusals(app):
    """The private reasons of what the server refused, in order; asking for a nonce is none."""
    with noting_refusals(app, unnoted=["use_dpop_nonce"]) as noted:
        yield noted
