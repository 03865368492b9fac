"""A server of the AT Protocol in one file: an account, a sign-in page, OAuth for every app, and an API of the account.

    flask --app pds run -p 5001

``docs/atproto.md`` explains it step by step.
"""

import hmac
import os
from typing import Any

import flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token, note_sign_in

PORT = os.environ.get("PORT", "5001")
ORIGIN = f"http://127.0.0.1:{PORT}"  # yours: https, and no path
DID = f"did:web:localhost%3A{PORT}"  # yours: did:plc:… or did:web:your.host
PASSWORD = os.environ.get("PASSWORD", "wonderland")
SIGN_IN = """<!doctype html><title>Sign in</title>
<form method="post"><label>Password of alice <input type="password" name="password"></label>
<button>Sign in</button></form>
"""

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()


class Alice:
    """The only account here; an application has a class for its accounts already."""

    name = "alice"

    def get_id(self) -> str:
        """The ``sub`` of every token: the DID of the account."""
        return DID


@oauth.user
def load_user() -> Alice | None:
    """Who is signed in at this browser."""
    return Alice() if flask.session.get("signed_in") else None


@oauth.sign_in
def send_to_sign_in(page: Any) -> Any:
    """Send a person to the sign-in page, and remember where to go on."""
    flask.session["go_on"] = page.return_url
    return flask.redirect(flask.url_for("sign_in"))


def create_app() -> flask.Flask:
    """Both servers of the AT Protocol, the authorization server and the resource server, in one Flask app."""
    app = flask.Flask(__name__)
    app.config.update(
        SQLALCHEMY_DATABASE_URI="sqlite:///pds.sqlite",
        SESSION_COOKIE_SAMESITE="Lax",
        OAUTH2_PROFILE="atproto",
        OAUTH2_ISSUER=ORIGIN,
        OAUTH2_RESOURCE=ORIGIN,
        OAUTH2_REPLAY_STORE="sql",
        OAUTH2_SCOPES=["atproto", "transition:generic"],  # what your API understands, and atproto
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY
    db.init_app(app)
    oauth.init_app(app)
    require_oauth.init_app(app)
    add_pages(app)
    with app.app_context():
        db.create_all()  # yours: flask db upgrade
    return app


def add_pages(app: flask.Flask) -> None:
    """The sign-in page, the API, and the document that says which server the account is at."""

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> Any:
        if not hmac.compare_digest(flask.request.form.get("password", "").encode(), PASSWORD.encode()):
            return SIGN_IN
        flask.session["signed_in"] = True
        note_sign_in()
        return flask.redirect(flask.session.pop("go_on", "/"))

    @app.get("/xrpc/com.atproto.server.getSession")
    @require_oauth("atproto")
    def get_session() -> Any:
        return {"did": current_token["sub"], "handle": "handle.invalid", "active": True}

    @app.get("/xrpc/app.example.listNotes")
    @require_oauth(["atproto transition:generic"])
    def list_notes() -> Any:
        return {"notes": ["a note of " + current_token["sub"]]}

    @app.get("/.well-known/did.json")
    def did_document() -> Any:
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": ORIGIN}
        return {"@context": ["https://www.w3.org/ns/did/v1"], "id": DID, "service": [service]}
