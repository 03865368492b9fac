"""The Python that a page shows without a comment runs, block after block, in an app that has what pages suppose.

The app is an authorization server and an API, with its people; ``SET_UPS`` adds what a page has said in words.
"""

import logging
import re
from pathlib import Path
from typing import Any

import flask
from flask_login import LoginManager, UserMixin, current_user, login_required
from flask_sqlalchemy import SQLAlchemy

import flask_private_key_jwt
from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, errors
from flask_private_key_jwt.client import AuthlibClientAuth, PrivateKeyJWTAuth, generate_key
from tests.conftest import API, ISSUER, SECRET
from tests.documentation.operator_commands import KNOWN_SETTINGS
from tests.tables import make_extension

SET_UPS = {
    "docs/authorization.md": """
app = Flask("app")
app.config.update(SECRET_KEY="x" * 32, SQLALCHEMY_DATABASE_URI="sqlite://", OAUTH2_ISSUER="https://as.example")
db = SQLAlchemy(app)
login_manager = LoginManager(app)
""",
    "docs/online-checks.md": 'admin_blueprint = Blueprint("admin", __name__)',
    "docs/operations.md": "oauth.init_app(app)",
    "docs/your-rules.md": "oauth.init_app(app)",
    "docs/registration.md": "from werkzeug.middleware.proxy_fix import ProxyFix",
}
"""Page -> Python that runs before its first block: what its text says is there already."""


def build_names(folder: Path) -> dict[str, Any]:
    """The names that a fragment may use, as in the module of an application."""
    app = flask.Flask("app")
    app.config.from_mapping(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/app.sqlite")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCES=[API], OAUTH2_RESOURCE=API)
    db, oauth = make_extension()
    db.init_app(app)
    (folder / "billing.pem").write_bytes(generate_key("ES256").as_pem())
    public = {name: getattr(flask_private_key_jwt, name) for name in flask_private_key_jwt.__all__}
    return {
        **public,
        "__name__": "fragment",
        "app": app,
        "db": db,
        "oauth": oauth,
        "require_oauth": ResourceProtector(),
        "PrivateKeyJWTAuth": PrivateKeyJWTAuth,
        "AuthlibClientAuth": AuthlibClientAuth,
        "LoginManager": LoginManager,
        "SQLAlchemy": SQLAlchemy,
        "PrivateKeyJWT": PrivateKeyJWT,
        "UserMixin": UserMixin,
        "current_user": current_user,
        "login_required": login_required,
        "logging": logging,
        "re": re,
        "errors": errors,
        **{name: getattr(flask, name) for name in ("Flask", "redirect", "request", "session", "url_for", "Blueprint")},
        "render_template_string": flask.render_template_string,
    }


def misspelt_settings(names: dict[str, Any]) -> list[str]:
    """The settings that a fragment made, and nobody reads."""
    made = [*names["app"].config, *names]
    return [name for name in made if name.startswith("OAUTH2_") and name not in KNOWN_SETTINGS]
