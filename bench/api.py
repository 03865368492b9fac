"""The API that is measured: one view for Bearer tokens and bound ones alike.

granian --interface wsgi --factory bench.api:create_app
"""

from flask import Flask
from flask.typing import ResponseReturnValue

from flask_private_key_jwt.resource_server import ResourceProtector, current_token

require_oauth = ResourceProtector()


def create_app() -> Flask:
    """Make the app; every setting comes from the environment."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    require_oauth.init_app(app)
    app.add_url_rule("/values", view_func=values)
    return app


@require_oauth("read")
def values() -> ResponseReturnValue:
    """Answer whoever may read."""
    return {"client": current_token["client_id"]}
