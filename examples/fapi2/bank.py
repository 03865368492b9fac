"""A bank: the authorization server and the API of its accounts, under the FAPI 2.0 Security Profile."""

from hmac import compare_digest
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, SignIn, current_token, note_sign_in

PASSWORDS = {"alice": "wonderland"}
"""For the example only: a real bank has a table of people, with hashed passwords, and a second factor."""

LOGIN = """<!doctype html><title>The bank</title><form method="post">
<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>"""

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()


class Person:
    """Who is signed in."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_id(self) -> str:
        """The ``sub`` of their tokens."""
        return self.name


def create_app(**settings: Any) -> flask.Flask:
    """The bank, with its tables."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        SESSION_COOKIE_NAME="bank",
        SQLALCHEMY_DATABASE_URI="sqlite:///bank.sqlite",
        OAUTH2_PROFILE="fapi2",
        OAUTH2_ISSUER="http://127.0.0.1:5000",  # in production https, as everything else
        OAUTH2_RESOURCE="http://127.0.0.1:5000/accounts",
        OAUTH2_RESOURCES=["http://127.0.0.1:5000/accounts"],
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY …
    app.config.from_mapping(settings)
    db.init_app(app)
    oauth.init_app(app)
    require_oauth.init_app(app)
    app.add_url_rule("/sign-in", view_func=sign_in, methods=["GET", "POST"])
    app.add_url_rule("/accounts", view_func=list_accounts)
    with app.app_context():
        db.create_all()  # a real bank has migrations
    return app


@oauth.user
def load_person() -> Person | None:
    """Who is signed in here, if anybody is."""
    name = flask.session.get("name")
    return Person(name) if name in PASSWORDS else None


@oauth.sign_in
def go_and_sign_in(page: SignIn) -> ResponseReturnValue:
    """Remember where the person goes afterwards."""
    flask.session["next"] = page.return_url
    return flask.redirect(flask.url_for("sign_in"))


def sign_in() -> ResponseReturnValue:
    """Sign a person in."""
    if flask.request.method == "GET":
        return LOGIN
    name, password = flask.request.form["name"], flask.request.form["password"]
    if not compare_digest(PASSWORDS.get(name, "").encode(), password.encode()) or name not in PASSWORDS:
        return LOGIN, 403
    target = flask.session.get("next", "/")
    flask.session.clear()
    flask.session["name"] = name
    note_sign_in()
    return flask.redirect(target)


@require_oauth("accounts")  # under fapi2 every token is bound to a key
def list_accounts() -> dict[str, Any]:
    """The accounts of the person who allowed it."""
    return {"accounts": [{"of": current_token["sub"], "balance": "42.00"}]}
