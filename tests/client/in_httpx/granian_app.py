"""A token server and an API in one app, for real WSGI servers; ``FLASK_…`` in the environment sets it up."""

import os

from flask import Flask, redirect, request
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token


def create_app() -> Flask:
    """Make the app; every worker process calls this."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="a secret for tests only, served for real", OAUTH2_DPOP_NONCE="required")
    app.config.from_prefixed_env()
    db = SQLAlchemy()
    oauth, require_oauth = PrivateKeyJWT(db), ResourceProtector()
    db.init_app(app)
    oauth.init_app(app)
    require_oauth.init_app(app)
    app.extensions["tests"] = (db, oauth)

    @app.get("/worker")
    def worker() -> str:
        return str(os.getpid())

    @app.route("/values", methods=["GET", "POST"])
    @require_oauth("read", dpop="required")
    def values() -> dict[str, object]:
        return {"client": current_token["client_id"], "body": request.get_data(as_text=True)}

    @app.get("/moved")
    @require_oauth("read", dpop="required")
    def moved() -> object:
        return redirect("/values")

    return app
