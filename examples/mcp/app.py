"""An authorization server for MCP servers: a Flask app with one user. The environment may set what is set here."""

from hmac import compare_digest

import flask
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, note_sign_in

PASSWORDS = {"alice": "wonderland"}
"""For the example only: a real app has a table of people, with hashed passwords."""

app = flask.Flask(__name__)
app.config.from_mapping(
    SQLALCHEMY_DATABASE_URI="sqlite:///mcp.sqlite",
    OAUTH2_ISSUER="http://127.0.0.1:5000",
    OAUTH2_PROFILE="mcp",
    OAUTH2_RESOURCES=["http://127.0.0.1:8000/mcp"],  # your MCP servers, by the URLs that clients use
    OAUTH2_CLIENT_ID_SCOPES=["tools"],  # what the client of anybody may ask people for
    OAUTH2_REGISTRATION="open",  # for clients without a document
    OAUTH2_REGISTRATION_SCOPES=["tools"],
)
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_OAUTH2_ISSUER …

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
db.init_app(app)
oauth.init_app(app)
with app.app_context():
    db.create_all()  # a real app has migrations


class Person:
    """Who is signed in."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_id(self) -> str:
        """The ``sub`` of their tokens."""
        return self.name


@oauth.user
def load_person() -> Person | None:
    """Who is signed in here, if anybody is."""
    name = flask.session.get("name")
    return Person(name) if name in PASSWORDS else None


@oauth.sign_in
def send_to_sign_in(page) -> ResponseReturnValue:
    """Where people sign in; they come back to ``page.return_url``."""
    return flask.redirect(flask.url_for("sign_in", next=page.return_url))


@app.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """A page with a form; the right password leads back to where the person came from."""
    form, way_back = flask.request.form, flask.request.args.get("next", "")
    expected = PASSWORDS.get(form.get("name", ""), "")
    if expected and compare_digest(form.get("password", "").encode(), expected.encode()):
        flask.session.clear()
        flask.session["name"] = form["name"]
        note_sign_in()
        # Never a place elsewhere: the URL of this page may be anybody's.
        return flask.redirect(way_back if way_back.startswith("/oauth2/") else "/")
    return flask.render_template_string(
        "<!doctype html><title>Sign in</title><form method=post>"
        "<p><label>Name <input name=name autocomplete=username></label>"
        "<p><label>Password <input name=password type=password autocomplete=current-password></label>"
        "<p><button>Sign in</button></form>"
    )
