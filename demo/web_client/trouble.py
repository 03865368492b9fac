"""Error pages for people: one sentence, and nothing that another server sent except the error code."""

import re

import flask
import requests
from authlib.integrations.base_client import OAuthError
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from joserfc.errors import JoseError
from werkzeug.exceptions import HTTPException, SecurityError

from .provider import find_person, provider

NOT_OURS = "This answer does not belong to a sign-in that was begun in this browser. Please try again."
SENTENCES = {
    "access_denied": "You did not allow it, so you are not signed in.",
    "mismatching_state": NOT_OURS,
    "mismatching_issuer": "This answer comes from another server than the one that was asked. You are not signed in.",
    "mismatching_sub": "The token server told of two different people. You are not signed in.",
    "missing_id_token": "The token server did not say who you are. You are not signed in.",
    "missing_endpoint": "The token server does not offer what a sign-in needs.",
    "unusable_answer": "The token server's answer cannot be used. You are not signed in.",
    "invalid_client": "The token server does not accept this application's signature; its log says why. "
    "Is the client registered? python -m demo.prepare",
    "invalid_grant": "This sign-in has ended. Please sign in again.",
}
"""Error code (RFC 6749 §4.1.2.1, §5.2, and a few of Authlib's and ours) -> what to read."""
_CODE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,60}")  # RFC 6749 §4.1.2.1


def add_trouble_pages(app: flask.Flask) -> None:
    """Turn what may go wrong on the way to the token server into pages of *app*."""
    app.register_error_handler(requests.RequestException, show_away)
    app.register_error_handler(OAuthError, show_refusal)
    app.register_error_handler(JoseError, show_bad_token)
    app.register_error_handler(CSRFError, show_old_form)
    app.register_error_handler(HTTPException, show_http_error)


def show_away(error: requests.RequestException) -> ResponseReturnValue:
    """The token server gave no answer that can be used."""
    flask.current_app.logger.warning("no answer from the token server: %s", type(error).__name__)
    issuer = provider().issuer
    if error.response is not None:
        return show(f"The token server at {issuer} answered with the status {error.response.status_code}.", 502)
    return show(f"The token server at {issuer} cannot be reached. Is it running?", 502)


def show_refusal(error: OAuthError) -> ResponseReturnValue:
    """The token server said no, or an answer is not the one that was due."""
    code = error.error if isinstance(error.error, str) and _CODE.fullmatch(error.error) else "unknown"
    flask.current_app.logger.warning("refused: %s", code)
    if find_person() is not None and code == "invalid_grant":  # a refresh that was refused: the tokens are of no use
        provider().people.forget(flask.session.pop("handle"))
    return show(SENTENCES.get(code, f"The token server refused, with the error {code}."), 403)


def show_bad_token(error: JoseError) -> ResponseReturnValue:
    """The ID token is not what it must be."""
    flask.current_app.logger.warning("ID token refused: %s", type(error).__name__)
    return show("The token server's ID token is not acceptable. You are not signed in.", 502)


def show_old_form(_error: CSRFError) -> ResponseReturnValue:
    """A form came from elsewhere, or from a page that was open for too long."""
    return show("This page was open for too long, or came from elsewhere. Please try again.", 400)


def show_http_error(error: HTTPException) -> ResponseReturnValue:
    """There is no such page, or something else is wrong with the request."""
    if isinstance(error, SecurityError):
        return error  # no page with links of ours for a host that is not ours
    return show(error.description or error.name, error.code or 500)


def show(sentence: str, status: int) -> ResponseReturnValue:
    """One sentence, and the way home."""
    return flask.render_template("trouble.html", sentence=sentence), status
