"""An authorization server for real processes: its settings come from the environment, as ``FLASK_…``."""

import os
import time

import flask

from tests.tables import make_extension


def create_app():
    app = flask.Flask("authorization_server")
    app.config.from_mapping(SECRET_KEY="a secret for tests only, long enough")
    app.config.from_prefixed_env()
    db, oauth = make_extension()
    db.init_app(app)
    oauth.init_app(app)

    @oauth.before_machine_request
    def wait(endpoint):
        time.sleep(app.config.get("REST", 0) if endpoint == "token" else 0)

    @app.after_request
    def name_worker(response):
        response.headers["Worker"] = str(os.getpid())
        return response

    return app
