"""The authorization server, a Flask app: FLASK_OAUTH2_ISSUER is its URL, FLASK_OAUTH2_RESOURCES the MCP server's."""

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, SignIn

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)


# The SDK's clients use no server without an authorization endpoint, so this one has people, although none can sign in.
@oauth.user
def load_user() -> None:
    """Nobody."""


@oauth.sign_in
def sign_in(page: SignIn) -> tuple[str, int]:
    """Where an application sends people to its sign-in page."""
    return "Nobody can sign in here yet.", 404


def create_app() -> Flask:
    """Make the app, and its tables in a file of the instance folder."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///authorization_server.sqlite"
    app.config["OAUTH2_SCOPES"] = ["tools"]
    app.config.from_prefixed_env()
    db.init_app(app)
    oauth.init_app(app)
    with app.app_context():
        db.create_all()  # an application that lasts uses migrations
    return app
