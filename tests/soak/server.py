"""The server that is soaked: authorization server and API in one app, with the audit trail and open registration."""

import os

import flask
from flask import Flask

from flask_private_key_jwt import ResourceProtector, clock, current_token, health_blueprint
from tests.faults import served

FACTORY = "tests.soak.server:create_app"
RESOURCE = "https://api.example"
THREADS = 4
"""How many threads each worker has for requests."""
_A_YEAR_SECONDS = 366 * 86400


class Person:
    """Whoever names themselves is signed in."""

    def __init__(self, name: str) -> None:
        self._name = name

    def get_id(self) -> str:
        return self._name


def create_app() -> Flask:
    """The app of the other programs, with people and two views that need a token."""
    app = served.create_app()
    _, oauth = app.extensions["tests"]
    oauth.user(lambda: Person(flask.request.headers.get("Person", "alice")))
    oauth.sign_in(lambda page: "nobody comes here")
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.add_url_rule("/values", view_func=require_oauth("read")(_values), endpoint="values")
    app.add_url_rule("/bound", view_func=require_oauth("read", dpop="required")(_values), endpoint="bound")
    app.register_blueprint(health_blueprint())
    return app


def create_app_in_a_year() -> Flask:
    """The same app in a process that lives a year later: whatever ends has ended."""
    moment = clock.now() + _A_YEAR_SECONDS
    clock.now = lambda: moment
    return create_app()


def build_environment(database: str, redis: str, timeout_seconds: int) -> dict[str, str]:
    """What sets the server up."""
    settings = {
        "SQLALCHEMY_DATABASE_URI": database,
        "OAUTH2_REPLAY_STORE": redis,
        "OAUTH2_STORE_TIMEOUT_SECONDS": str(timeout_seconds),
        "OAUTH2_RESOURCE": RESOURCE,
        "OAUTH2_RESOURCES": RESOURCE,
        "OAUTH2_AUDIT": "sql",
        "OAUTH2_LOG_FORMAT": "json",
        "OAUTH2_REFRESH_TOKEN_ROTATION": "all",
        "OAUTH2_REGISTRATION": "open",
        "OAUTH2_REGISTRATION_SCOPES": "read",
        "OAUTH2_REGISTRATIONS_PER_HOUR": "1000",
    }
    return {f"FLASK_{name}": value for name, value in settings.items()}


def _values() -> flask.typing.ResponseReturnValue:
    return {"client": current_token["client_id"], "worker": os.getpid()}
