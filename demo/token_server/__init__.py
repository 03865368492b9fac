"""The demo's authorization server.

    FLASK_APP=demo.token_server flask run -p 5001

Every setting can be changed by the environment, e.g. ``FLASK_OAUTH2_ISSUER=https://as.example``.

database.py       the database
users.py          who may sign in: name and password
claims.py         what clients may learn about them, by scope
sign_in_limit.py  how often somebody may fail
pages.py          sign-in and sign-out, for browsers
commands.py       ``flask demo-user add``
templates/        what people see besides the extension's pages, with the extension's layout
"""

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate

from flask_private_key_jwt import PrivateKeyJWT

from ..folder import FOLDER, read_secret
from ..run_mark import mark_answers
from .claims import describe_person
from .commands import demo_user
from .database import db
from .pages import add_pages, end_session

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"

oauth = PrivateKeyJWT(db)  # client, key and replay tables join db.metadata
oauth.sign_out(end_session)
oauth.user_claims(describe_person)


def create_app() -> Flask:
    """Make the app; every worker process calls this."""
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=read_secret("token_server"),  # of people's browser sessions too; without people OAUTH2_SECRETS does
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{FOLDER / 'token_server.sqlite'}",
        OAUTH2_ISSUER="http://127.0.0.1:5001",
        OAUTH2_RESOURCES=["http://127.0.0.1:5005"],
        OAUTH2_SCOPES=["openid", "profile", "email", "mobile", "scope-dpop"],
        OAUTH2_SCOPE_DESCRIPTIONS={
            "mobile": "Values of the demo's API",
            "scope-dpop": "Values that only the holder of a key may read",
            "http://127.0.0.1:5005": "The demo's API",
        },
        OAUTH2_LANGUAGES=["en"],  # as the demo's own pages
    )
    app.config.from_prefixed_env()
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS))
    oauth.init_app(app)
    app.register_blueprint(oauth.connected_applications())
    add_pages(app)  # people sign in with Flask-Login, which the extension understands
    app.cli.add_command(demo_user)
    mark_answers(app)
    return app
