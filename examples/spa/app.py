"""An authorization server and an API for a page of another origin. The environment may set what is set here."""

from hmac import compare_digest

import flask
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token, note_sign_in

PASSWORDS = {"alice": "wonderland"}
"""For the example only: a real app has a table of people, with hashed passwords."""

app = flask.Flask(__name__)
app.config.from_mapping(
    SQLALCHEMY_DATABASE_URI="sqlite:///spa.sqlite",
    OAUTH2_ISSUER="http://127.0.0.1:5000",
    OAUTH2_RESOURCE="http://127.0.0.1:5000/api",
    OAUTH2_CORS_ORIGINS=["http://127.0.0.1:5010"],  # where the page comes from
    OAUTH2_DPOP_NONCE="required",
)
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_OAUTH2_ISSUER …
app.config["OAUTH2_RESOURCES"] = [app.config["OAUTH2_RESOURCE"]]

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()
db.init_app(app)
oauth.init_app(app)
require_oauth.init_app(app)
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


@app.get("/api/me")
@require_oauth("profile.read", dpop="required")
def me() -> dict[str, str]:
    """Whom the page acts for."""
    return {"name": current_token["sub"]}
