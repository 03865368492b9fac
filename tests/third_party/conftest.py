"""An authorization server and an API on real HTTP, for other people's clients; everything runs on loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import flask
import pytest
from werkzeug.serving import make_server

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.signals import request_refused
from tests.refusals import Refusal
from tests.tables import create_tables, make_extension


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The wall clock goes on: other people's code looks at it."""


@dataclass
class Site:
    """Both servers, and what they refused."""

    issuer: str
    api: str
    app: flask.Flask
    oauth: PrivateKeyJWT
    refusals: list[Refusal] = field(default_factory=list)
    """The private reasons of both servers, in order."""

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/oauth2/token"

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/oauth-authorization-server"

    @property
    def values(self) -> str:
        """A view that takes Bearer tokens, and bound ones with a proof."""
        return f"{self.api}/values"

    @property
    def bound_values(self) -> str:
        """A view that takes bound tokens only."""
        return f"{self.api}/bound-values"

    def register(self, key: jose.PrivateKey, **metadata: Any) -> str:
        """Register a client with one key, and give its client_id."""
        with self.app.app_context():
            client = self.oauth.clients.add(
                {"jwks": {"keys": [key.public_jwk()]}, "scope": "read", "default_scope": "read", **metadata}
            )
            return str(client.client_id)


@contextmanager
def serving(make_app: Callable[[str], flask.Flask]) -> Iterator[tuple[str, flask.Flask]]:
    """Serve on a free port of loopback; the app is made once its URL is known."""
    server = make_server("127.0.0.1", 0, None, threaded=True)  # type: ignore[arg-type]
    url = f"http://127.0.0.1:{server.server_port}"
    server.app = app = make_app(url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield url, app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_api(issuer: str, url: str, **config: Any) -> flask.Flask:
    """An API in the way the README shows it; no database of its own."""
    app = flask.Flask("api")
    app.config.from_mapping(
        SECRET_KEY="a secret for tests only, the API's",
        OAUTH2_ISSUER=issuer,
        OAUTH2_RESOURCE=url,
        OAUTH2_REPLAY_STORE="memory",
    )
    app.config.from_mapping(config)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)

    @app.get("/values")
    @require_oauth("read")
    def values() -> dict[str, Any]:
        return {"client": current_token["client_id"], "cnf": current_token.get("cnf")}

    @app.get("/invoices")
    @require_oauth("invoices.read")
    def invoices() -> dict[str, Any]:
        return {"invoices": []}

    @app.get("/bound-values")
    @require_oauth("read", dpop="required")
    def bound_values() -> dict[str, Any]:
        return {"client": current_token["client_id"], "cnf": current_token.get("cnf")}

    return app


@contextmanager
def serving_site(folder: Any, **config: Any) -> Iterator[Site]:
    """Both servers with the same further settings."""
    db, oauth = make_extension()

    def make_authorization_server(url: str) -> flask.Flask:
        app = flask.Flask("authorization_server")
        app.config.from_mapping(
            SECRET_KEY="a secret for tests only, the token server's",
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/as.sqlite",
            OAUTH2_ISSUER=url,
        )
        app.config.from_mapping(config)
        return app

    with ExitStack() as stack:
        issuer, app = stack.enter_context(serving(make_authorization_server))
        api_url, api = stack.enter_context(serving(lambda url: make_api(issuer, url, **config)))
        app.config["OAUTH2_RESOURCES"] = [api_url, *config.get("OAUTH2_RESOURCES", [])]
        db.init_app(app)
        oauth.init_app(app)
        with app.app_context():
            create_tables(db.engine)
            stack.callback(db.engine.dispose)
        site = Site(issuer, api_url, app, oauth)

        def note(sender: object, *, reason: str, cause: str, **_: Any) -> None:
            if sender in (app, api):
                site.refusals.append(Refusal(reason, cause))

        stack.enter_context(request_refused.connected_to(note))
        yield site


@pytest.fixture(scope="session")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def _nonce_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_site(tmp_path_factory.mktemp("nonce_site"), OAUTH2_DPOP_NONCE="required") as site:
        yield site


@pytest.fixture
def site(_site: Site) -> Site:
    """Servers that ask for no nonce."""
    _site.refusals.clear()
    return _site


@pytest.fixture
def nonce_site(_nonce_site: Site) -> Site:
    """Servers that both require nonces of their own in every proof."""
    _nonce_site.refusals.clear()
    return _nonce_site
