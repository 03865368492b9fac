"""A site whose pages a real browser opens, with clients of every kind, people, and a page to sign in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask
import requests
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, SignIn, note_sign_in
from flask_private_key_jwt.client import generate_key
from tests.tables import create_tables, make_extension
from tests.third_party.conftest import serving

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""Of RFC 7636 Appendix B."""
PUBLIC_CALLBACK = "https://prints.example/callback"
"""Where answers of a public host would go; no test follows them there."""
LONG_CALLBACK = "https://accounts.bank.example." + ".".join(["long-label-of-a-host" * 2] * 5) + ".example/callback"
"""Of a host that begins like another one, and goes on."""
SCOPES = {
    "photos": {"en": "See your photos and albums", "de": "Ihre Fotos und Alben ansehen"},
    "print": {"en": "Order prints in your name", "de": "In Ihrem Namen Abzüge bestellen"},
}
SIGN_IN = """{% extends "private_key_jwt/sign_in_frame.html" %}
{% block form %}<form method="post">
<label for="name">Name</label><input id="name" name="name" autocomplete="username" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Sign in</button>
</form>{% endblock %}"""
PEOPLE = {"alice": "Alice Liddell", "bob": "Bob Dodgson"}


@dataclass(frozen=True)
class User:
    """Somebody who may sign in, with any password."""

    id: str

    @property
    def name(self) -> str:
        return PEOPLE[self.id]

    @property
    def email(self) -> str:
        return f"{self.id}@mail.example"

    def get_id(self) -> str:
        return self.id


@dataclass
class PagesSite:
    """The running site."""

    url: str
    client_url: str
    """Of the application that people come from and go back to."""
    app: flask.Flask
    oauth: PrivateKeyJWT
    db: SQLAlchemy

    def authorize(self, **changes: str | None) -> str:
        """The URL of a valid authorization request, changed; ``None`` leaves a parameter out."""
        parameters = {
            "response_type": "code",
            "client_id": "prints",
            "redirect_uri": f"{self.client_url}/callback",
            "scope": "openid email photos print offline_access",
            "state": "abc",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        kept = {name: value for name, value in parameters.items() if value is not None}
        return f"{self.url}/oauth2/authorize?{urlencode(kept)}"


@contextmanager
def serving_pages(folder: Path, **config: Any) -> Iterator[PagesSite]:
    """Serve the site, and the client's own page, on free ports of loopback."""
    db, oauth = make_extension()

    def make_client(_url: str) -> flask.Flask:
        client = flask.Flask("client")
        client.add_url_rule(
            "/callback", "callback", lambda: f"<title>Prints</title><p>back {flask.request.query_string.decode()}"
        )
        return client

    def make_site(url: str) -> flask.Flask:
        app = flask.Flask("pages_site")
        app.config.from_mapping(
            SECRET_KEY="a secret for tests only, the pages'",
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/pages.sqlite",
            OAUTH2_ISSUER=url,
            OAUTH2_REPLAY_STORE="memory",
            OAUTH2_RESOURCES=["https://photos.example/api"],
            OAUTH2_SCOPE_DESCRIPTIONS={
                **SCOPES,
                "https://photos.example/api": {"en": "Photo library", "de": "Fotosammlung"},
            },
            **config,
        )
        db.init_app(app)
        _add_people(app, oauth)
        oauth.init_app(app)
        app.register_blueprint(oauth.connected_applications())
        return app

    with serving(make_client) as (client_url, _), serving(make_site) as (url, app):
        with app.app_context():
            create_tables(db.engine)
            _add_clients(oauth, client_url)
        try:
            yield PagesSite(url, client_url, app, oauth, db)
        finally:
            with app.app_context():
                db.engine.dispose()


def _add_people(app: flask.Flask, oauth: PrivateKeyJWT) -> None:
    @oauth.user
    def load_user() -> User | None:
        found = flask.session.get("user")
        return User(found) if found else None

    @oauth.accounts
    def accounts() -> list[User]:
        return [User(user) for user in flask.session.get("known", ())]

    @oauth.sign_in
    def send_to_sign_in(page: SignIn) -> flask.typing.ResponseReturnValue:
        return flask.redirect(flask.url_for("sign_in", next=page.return_url), 303)

    @oauth.sign_out
    def sign_out() -> None:
        flask.session.pop("user", None)

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> flask.typing.ResponseReturnValue:
        message = None
        if flask.request.method == "POST":
            name = flask.request.form["name"]
            if name in PEOPLE:
                flask.session["user"] = name
                flask.session["known"] = sorted({*flask.session.get("known", ()), name})
                note_sign_in()
                way_back = flask.request.args.get("next", "/")
                return flask.redirect(way_back if not urlsplit(way_back).netloc else "/", 303)
            message = "Name or password is wrong."
        page = flask.make_response(flask.render_template_string(SIGN_IN, message=message))
        page.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'"
        return page


def _add_clients(oauth: PrivateKeyJWT, client_url: str) -> None:
    about = {"client_uri": f"{client_url}/", "tos_uri": f"{client_url}/terms", "policy_uri": f"{client_url}/privacy"}
    shared = {
        "jwks": {"keys": [generate_key().public_jwk()]},
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"{client_url}/callback", PUBLIC_CALLBACK],
        "post_logout_redirect_uris": [f"{client_url}/callback"],
        "application_type": "native",
        "scope": "openid email photos print offline_access",
    }
    oauth.clients.add({**shared, **about, "client_id": "prints", "client_name": "Lovely Prints"})
    oauth.clients.add({**shared, "client_id": "calendar", "client_name": "Year Calendar", "scope": "photos"})
    hosts = [LONG_CALLBACK, f"{client_url}/callback"]
    oauth.clients.add({**shared, "client_id": "long", "client_name": "Name" * 60, "redirect_uris": hosts})
    stranger = {**shared, "client_id": "stranger", "client_name": "Your Bank", "token_endpoint_auth_method": "none"}
    del stranger["jwks"]
    stranger["redirect_uris"] = [f"{client_url}/callback"]  # every answer stays on this device
    oauth.clients.add(stranger)
    oauth.clients.vouch("stranger", vouched=False)


def open_without_browser(url: str) -> requests.Response:
    """The answer to a GET of somebody who is nobody."""
    return requests.get(url, timeout=30, allow_redirects=False)
