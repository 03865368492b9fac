"""A minimal authorization server for real WSGI servers; the environment names its database."""

import os

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, health_blueprint, metrics_blueprint

ISSUER = "https://as.example"


def create_app(database: str | None = None) -> Flask:
    """Make the app; every worker process calls this."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="a secret for tests only, served for real",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{database or os.environ['DATABASE']}",
        OAUTH2_ISSUER=ISSUER,
    )
    db = SQLAlchemy()
    oauth = PrivateKeyJWT(db)
    db.init_app(app)
    oauth.init_app(app)
    app.extensions["tests"] = (db, oauth)
    app.register_blueprint(health_blueprint())
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        app.register_blueprint(metrics_blueprint())
    app.add_url_rule("/worker", view_func=worker, methods=["POST"])
    return app


def worker() -> str:
    """Which process answers."""
    return str(os.getpid())
