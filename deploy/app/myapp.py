"""A token server as it runs in production: the app of the README, with health, metrics, and secrets from files.

Put your own app in its place. What the files of ``deploy/`` need of it: ``create_app``, the health blueprint, and
settings from the environment (``FLASK_…``) and from a folder of secrets.
"""

import json
import os
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_private_key_jwt import PrivateKeyJWT, health_blueprint, metrics_blueprint

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)


def create_app() -> Flask:
    """Make the app; every worker process calls this, and so does every ``flask`` command."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    read_secrets(app, os.environ.get("CREDENTIALS_DIRECTORY"))
    db.init_app(app)
    Migrate(app, db)
    oauth.init_app(app)
    app.register_blueprint(health_blueprint())
    app.register_blueprint(metrics_blueprint())
    # The proxy in front of this app says who asks. Nothing else is taken from its headers: URLs come from the settings.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=0)  # type: ignore[method-assign]
    return app


def read_secrets(app: Flask, folder: str | None) -> None:
    """Set what the files of *folder* hold; a file has the name of its setting.

    systemd (``LoadCredential=``), Compose and Kubernetes each give secrets to a process as such a folder.
    """
    if folder is None:
        return
    for file in Path(folder).iterdir():
        if file.is_file() and not file.name.startswith("."):  # Kubernetes keeps the former versions in hidden folders
            text = file.read_text().strip()
            app.config[file.name] = json.loads(text) if text.startswith("[") else text
