"""The demo's API: it takes the token server's tokens, and shares neither code nor database with it.

FLASK_APP=demo.resource_server flask run -p 5005
"""

from flask import Flask
from flask.typing import ResponseReturnValue

from flask_private_key_jwt.resource_server import ResourceProtector, current_token

from ..folder import FOLDER, read_secret
from ..run_mark import mark_answers

require_oauth = ResourceProtector()


def create_app() -> Flask:
    """Make the app; every worker process calls this."""
    app = Flask(__name__)
    app.config.from_mapping(
        OAUTH2_SECRETS=read_secret("resource_server"),  # for nonces, when OAUTH2_DPOP_NONCE asks for them
        OAUTH2_ISSUER="http://127.0.0.1:5001",
        OAUTH2_RESOURCE="http://127.0.0.1:5005",
        # Used proofs must be known to every worker: a file of this API's own, or redis://… in production.
        OAUTH2_REPLAY_STORE=f"sqlite:///{FOLDER / 'resource_server.sqlite'}",
    )
    app.config.from_prefixed_env()
    require_oauth.init_app(app)
    app.add_url_rule("/api/values", view_func=values)
    app.add_url_rule("/dpop/values", view_func=dpop_values)
    mark_answers(app)
    return app


@require_oauth("mobile")
def values() -> ResponseReturnValue:
    """Answer a Bearer token, or a DPoP proof when the token is bound to a key."""
    return ["value one", "value two", f"read by {current_token['client_id']}"]


@require_oauth("scope-dpop", dpop="required")
def dpop_values() -> ResponseReturnValue:
    """Answer only those who prove that the token's key is theirs."""
    client, subject = current_token["client_id"], current_token["sub"]
    reader = client if subject == client else f"{client} for {subject}"  # a person's token, or the client's own
    return ["bound value one", "bound value two", f"read by {reader}"]
