"""Somebody's app, as they come: a naming convention of its own, users, a login, CSRF protection, pages for errors.

The extension is a guest here: three lines, marked below. ``FLASK_APP=host`` is how its owner runs it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.exceptions import HTTPException

from flask_private_key_jwt import PrivateKeyJWT  # 1


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "idx__%(table_name)s__%(column_0_N_name)s",
            "uq": "unq__%(table_name)s__%(column_0_N_name)s",
            "ck": "chk__%(table_name)s__%(constraint_name)s",
            "fk": "fkey__%(table_name)s__%(column_0_N_name)s",
            "pk": "pkey__%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)
migrate = Migrate()
csrf = CSRFProtect()
oauth = PrivateKeyJWT(db)  # 2


class Person(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)


class Client(db.Model):  # type: ignore[name-defined,misc]
    """The owner's word for customers: no kin of ours."""

    id: Mapped[int] = mapped_column(primary_key=True)


def init_database(app: flask.Flask) -> None:
    db.init_app(app)
    migrate.init_app(app, db)


def init_pages(app: flask.Flask) -> None:
    @app.get("/")
    def home() -> str:
        return "<h1>Welcome back</h1>"

    @app.route("/post", methods=["POST"])
    def post() -> str:
        return "<h1>Thank you</h1>"

    @app.get("/broken")
    def broken() -> str:
        raise KeyError("a defect of the host")


def init_login(app: flask.Flask) -> None:
    @app.before_request
    def require_login() -> Any:
        if "person" not in flask.session:
            return flask.redirect("/login")
        return None


def init_error_pages(app: flask.Flask) -> None:
    def show(error: HTTPException) -> tuple[str, int]:
        return f"<h1>Sorry: {error.code}</h1>", error.code or 500

    for code in (400, 401, 404, 405, 413, 415, 500, 503):
        app.register_error_handler(code, show)
    app.register_error_handler(Exception, lambda error: ("<h1>Sorry</h1>", 500))


def init_headers(app: flask.Flask) -> None:
    @app.after_request
    def add_header(response: flask.Response) -> flask.Response:
        response.headers["X-Host"] = "was here"
        return response


STEPS: dict[str, Callable[[flask.Flask], None]] = {
    "database": init_database,
    "pages": init_pages,
    "csrf": csrf.init_app,
    "login": init_login,
    "errors": init_error_pages,
    "headers": init_headers,
    "oauth": oauth.init_app,  # 3
}


def create_app(order: Iterable[str] = STEPS, **config: Any) -> flask.Flask:
    """The owner's application factory; *order* is for the tests."""
    app = flask.Flask("host")
    app.config.from_prefixed_env()
    app.config.from_mapping(config)
    for step in order:
        STEPS[step](app)
    return app
