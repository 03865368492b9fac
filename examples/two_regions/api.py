"""An API that trusts all regions: they are one issuer. The environment may set what is set here."""

from typing import Any

import flask

from flask_private_key_jwt import ResourceProtector, current_token

require_oauth = ResourceProtector()


def create_app() -> flask.Flask:
    """The API."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        OAUTH2_ISSUER="http://127.0.0.1:5001",
        OAUTH2_RESOURCE="http://127.0.0.1:5005",
        OAUTH2_REPLAY_STORE="memory",  # for one process; an API in two regions has one database or Redis for both
    )
    app.config.from_prefixed_env()
    require_oauth.init_app(app)
    app.add_url_rule("/values", view_func=tell_values)
    return app


@require_oauth("values")
def tell_values() -> dict[str, Any]:
    """The values, and who reads them."""
    return {"values": [1, 2], "for": current_token["client_id"]}
