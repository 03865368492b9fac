"""The authorization server that is measured: the three lines of the README, and nothing else.

    granian --interface wsgi --factory bench.token_server:create_app

It has a ``SECRET_KEY``, like any app that people sign in to.
"""

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)


def create_app() -> Flask:
    """Make the app; every setting comes from the environment."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    db.init_app(app)
    oauth.init_app(app)
    return app
