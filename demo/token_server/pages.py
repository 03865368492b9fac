"""The pages on which people sign in and out, with the extension's layout. All other pages are the extension's."""

import re

import flask
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError
from wtforms import PasswordField, StringField, SubmitField
from wtforms.validators import InputRequired, Length

from .database import db
from .sign_in_limit import forget_attempts, take_attempt
from .users import MAX_NAME_CHARACTERS, MAX_PASSWORD_CHARACTERS, User, find_user_by_password, normalise_name

WRONG = "Name or password is wrong."
TOO_OFTEN = "Too many failed attempts. Please try again in {minutes} minutes."
TOO_OLD = "This page was open for too long, or came from elsewhere. Please try again."

PAGE_HEADERS = {
    # No form-action: browsers also apply it to the redirects after sign-in, which may lead to the client.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""No framing, no referrer, no copies, no scripts (RFC 9700 §4.2.4, §4.16)."""

_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""Visible ASCII without a backslash, which browsers take for a slash. ``//host`` would lead to that host."""

pages = flask.Blueprint("pages", __name__)


class SignInForm(FlaskForm):  # type: ignore[misc]  # comes without types
    """Name and password."""

    name = StringField("Name", [InputRequired(), Length(max=MAX_NAME_CHARACTERS)])
    password = PasswordField("Password", [InputRequired(), Length(max=MAX_PASSWORD_CHARACTERS)])
    submit = SubmitField("Sign in")


def add_pages(app: flask.Flask) -> None:
    """Add the pages, Flask-Login and the protection of forms to *app*, which knows its issuer already."""
    app.config.update(
        # Cookies know hosts, not ports: another app on this machine must not overwrite ours.
        SESSION_COOKIE_NAME="demo_token_server",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # not Strict: people come here from the client's pages
        SESSION_COOKIE_SECURE=app.config["OAUTH2_ISSUER"].startswith("https:"),
        # Over https Flask-WTF also looks at the Referer, which our own Referrer-Policy takes away.
        WTF_CSRF_SSL_STRICT=False,
    )
    CSRFProtect(app)
    login_manager = LoginManager(app)
    login_manager.login_view = "pages.sign_in"
    login_manager.user_loader(load_user)
    app.register_blueprint(pages)


def load_user(user_id: str) -> User | None:
    """The person of a session; Flask-Login asks."""
    return db.session.get(User, user_id)


@pages.get("/")
def home() -> ResponseReturnValue:
    """Say who is signed in, and let them sign out."""
    return flask.render_template("demo/home.html")


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for name and password, and send the browser back to where it came from."""
    way_back = check_way_back(flask.request.args.get("next"))
    if current_user.is_authenticated:
        return flask.redirect(way_back, 303)
    form = SignInForm()
    if flask.request.method == "GET":
        return show_sign_in(form)
    try:
        name = normalise_name(form.name.data or "")
    except ValueError:
        return show_sign_in(form, WRONG, status=403)
    if not form.validate():
        return show_sign_in(form, WRONG, status=403)
    return try_password(form, name, way_back)


def try_password(form: SignInForm, name: str, way_back: str) -> ResponseReturnValue:
    """Sign in whoever has this name and password, unless that failed too often."""
    address = flask.request.remote_addr
    if wait := take_attempt(name, address):
        page = flask.make_response(show_sign_in(form, TOO_OFTEN.format(minutes=-(-wait // 60)), status=429))
        page.headers["Retry-After"] = str(wait)
        return page
    user = find_user_by_password(name, form.password.data)
    if user is None:
        return show_sign_in(form, WRONG, status=403)
    forget_attempts(name, address)
    # A form that was made before, for somebody else in this session, is not valid any more.
    flask.session.pop("csrf_token", None)
    login_user(user)
    return flask.redirect(way_back, 303)


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign out on a person's own wish. A POST, or a picture on any page could do it."""
    end_session()
    return flask.redirect(flask.url_for("pages.home"), 303)


def end_session() -> None:
    """End the session of this browser; the extension asks for it too, when a client signs a person out."""
    logout_user()
    flask.session.clear()


@pages.after_request
def protect(response: flask.Response) -> flask.Response:
    """Give every page its headers."""
    response.headers.update(PAGE_HEADERS)
    return response


@pages.errorhandler(CSRFError)
def show_csrf_error(_error: CSRFError) -> ResponseReturnValue:
    """Say that a form cannot be taken, and offer a new one."""
    return flask.render_template("demo/home.html", message=TOO_OLD), 400


@pages.app_errorhandler(HTTPException)
def show_http_error(error: HTTPException) -> ResponseReturnValue:
    """Say that there is no such page, or what else is wrong with a request."""
    if isinstance(error, SecurityError):
        return error  # no page with links of ours for a host that is not ours
    page = flask.make_response(flask.render_template("demo/no_such_page.html", error=error), error.code)
    return protect(page)


def show_sign_in(form: SignInForm, message: str | None = None, *, status: int = 200) -> ResponseReturnValue:
    """The sign-in page; never with the password in it."""
    return flask.render_template("demo/sign_in.html", form=form, message=message), status


def check_way_back(url: str | None) -> str:
    """Where to send the browser after sign-in: a path of this app, or our sign-in would lend its name to any site.

    Anything else ends in a page with status 400.
    """
    home_path = flask.url_for("pages.home")
    if not url:
        return home_path
    if not _PATH.fullmatch(url) or not url.startswith(home_path):
        flask.abort(flask.make_response(flask.render_template("demo/no_way_back.html"), 400))
    return url
