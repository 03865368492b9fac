"""Authorization server and API in one Flask app. The environment may set what is set here."""

from typing import Any

import flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()


def create_app(**settings: Any) -> flask.Flask:
    """The app, with its tables."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///one_app.sqlite",
        OAUTH2_ISSUER="http://127.0.0.1:5000",
        OAUTH2_RESOURCE="http://127.0.0.1:5000",  # the API's name in the aud of a token: here the issuer's own
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_OAUTH2_ISSUER …
    app.config.from_mapping(settings)
    db.init_app(app)
    oauth.init_app(app)
    require_oauth.init_app(app)  # keys and used marks come from the app itself, not over the network
    app.add_url_rule("/notes", view_func=list_notes)
    with app.app_context():
        db.create_all()  # a real app has migrations
    return app


@require_oauth("notes")
def list_notes() -> dict[str, Any]:
    """The notes, and who reads them."""
    return {"notes": ["buy tea"], "for": current_token["client_id"]}
