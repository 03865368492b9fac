"""Authorization server and API in one Flask app: they share the settings, the database and the replay table.

FLASK_APP=demo.one_app flask run -p 5001
python -m demo.console_client --api http://127.0.0.1:5001
"""

from flask import Flask
from flask.typing import ResponseReturnValue
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token

from ..folder import FOLDER, read_secret
from ..token_server import MIGRATIONS

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()


def create_app() -> Flask:
    """Make the app; its database is the demo token server's, so that the demo's clients are known."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=read_secret("token_server"),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{FOLDER / 'token_server.sqlite'}",
        OAUTH2_ISSUER="http://127.0.0.1:5001",
        OAUTH2_RESOURCE="http://127.0.0.1:5001",  # the API's name in a token's aud: here the issuer's own
    )
    app.config.from_prefixed_env()
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS))
    oauth.init_app(app)
    require_oauth.init_app(app)  # takes keys and used marks from the app itself, not over the network
    app.add_url_rule("/api/values", view_func=values)
    app.add_url_rule("/dpop/values", view_func=dpop_values)
    return app


@require_oauth("mobile")
def values() -> ResponseReturnValue:
    """Answer a Bearer token, or a DPoP proof when the token is bound to a key."""
    return ["value one", "value two", f"read by {current_token['client_id']}"]


@require_oauth("scope-dpop", dpop="required")
def dpop_values() -> ResponseReturnValue:
    """Answer only those who prove that the token's key is theirs."""
    return ["bound value one", "bound value two", f"read by {current_token['client_id']}"]
