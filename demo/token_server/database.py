"""The database of the token server: the extension's tables and those of the demo's people share it."""

from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
