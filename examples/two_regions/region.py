"""One region of an authorization server: run it once in each region. The environment may set what is set here."""

import os
from typing import Any

import flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)


def create_app(**settings: Any) -> flask.Flask:
    """The server: every region has the same issuer, secret and database, and so the same keys and the same memory."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{os.path.abspath('regions.sqlite')}",  # in production PostgreSQL
        OAUTH2_ISSUER="http://127.0.0.1:5001",  # one name, which leads to the nearest region: here always to the west
        OAUTH2_RESOURCES=["http://127.0.0.1:5005"],
        OAUTH2_REPLAY_STORE="sql",  # in the database that all regions share, so that "once" means once in the world
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY …
    app.config.from_mapping(settings)
    db.init_app(app)
    oauth.init_app(app)
    with app.app_context():
        db.create_all()  # a real app has migrations
    return app
