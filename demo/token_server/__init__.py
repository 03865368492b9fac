"""The demo's authorization server.

    FLASK_APP=demo.token_server flask run -p 5001

Every setting can be changed by the environment, e.g. ``FLASK_OAUTH2_ISSUER=https://as.example``.
"""

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT

from ..folder import FOLDER, read_secret

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)  # client, key and replay tables join db.metadata


def create_app() -> Flask:
    """Make the app; every worker process calls this."""
    app = Flask(__name__)
    app.config.from_mapping(
        # Not SECRET_KEY: with one, Flask opens a browser session for every request, which no client has use for.
        OAUTH2_SECRETS=read_secret("token_server"),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{FOLDER / 'token_server.sqlite'}",
        OAUTH2_ISSUER="http://127.0.0.1:5001",
        OAUTH2_RESOURCES=["http://127.0.0.1:5005"],
        OAUTH2_SCOPES=["mobile", "scope-dpop"],
    )
    app.config.from_prefixed_env()
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS))
    oauth.init_app(app)
    return app
