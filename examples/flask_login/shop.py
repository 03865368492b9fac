"""A site whose people sign in with Flask-Login, and let other programs act for them. The environment may set more."""

from typing import Any
from urllib.parse import urlsplit

import flask
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token

PASSWORDS = {"alice": generate_password_hash("wonderland")}
"""For the example only: a real site has a table of people."""

LOGIN = """<!doctype html><title>Sign in</title><form method="post">
<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>"""

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()
login_manager = LoginManager()
login_manager.login_view = "sign_in"  # all that the authorization server has to know about people


class Person(UserMixin):
    """Who is signed in; the name is the ``sub`` of their tokens."""

    def __init__(self, name: str) -> None:
        self.id = name


@login_manager.user_loader
def load_person(name: str) -> Person | None:
    return Person(name) if name in PASSWORDS else None


def create_app(**settings: Any) -> flask.Flask:
    """The site, with its tables."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///shop.sqlite",
        OAUTH2_ISSUER="http://127.0.0.1:5000",
        OAUTH2_RESOURCE="http://127.0.0.1:5000/orders",
        OAUTH2_RESOURCES=["http://127.0.0.1:5000/orders"],
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY …
    app.config.from_mapping(settings)
    db.init_app(app)
    login_manager.init_app(app)
    oauth.init_app(app)
    require_oauth.init_app(app)
    app.add_url_rule("/", view_func=home)
    app.add_url_rule("/sign-in", view_func=sign_in, methods=["GET", "POST"])
    app.add_url_rule("/orders", view_func=list_orders)
    with app.app_context():
        db.create_all()  # a real site has migrations
    return app


@login_required
def home() -> str:
    return f"You are {current_user.id}."


def sign_in() -> ResponseReturnValue:
    """Sign a person in, and send them back to where they came from: a path of this site, nothing else."""
    if flask.request.method == "GET":
        return LOGIN
    name = flask.request.form["name"]
    if not check_password_hash(PASSWORDS.get(name, ""), flask.request.form["password"]):
        return LOGIN, 403
    login_user(Person(name))
    target = urlsplit(flask.request.args.get("next", "/").replace("\\", "/"))
    is_ours = not target.scheme and not target.netloc and target.path.startswith("/")
    return flask.redirect(target.geturl() if is_ours else "/")


@require_oauth("orders")
def list_orders() -> dict[str, Any]:
    """The orders of a person, for the programs that they allowed it."""
    return {"of": current_token["sub"], "orders": ["tea"]}
