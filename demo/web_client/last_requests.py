"""The page of the last requests: each message decoded, and of a refusal the reason from the server's own log.

The attacks are buttons. An ordinary application has no such page: it shows what only operators see.
"""

from collections.abc import Mapping

import flask
from flask.typing import ResponseReturnValue

from .. import folder
from ..clients import MOBILE, MOBILE_DPOP
from ..console_client.attacks import ATTACKS
from ..console_client.caller import Caller, NoAnswer
from ..console_client.outcomes import Outcome
from ..console_client.show import Show
from ..console_client.walk import WentWrong, walk
from ..private_reasons import PrivateReason, read_reasons
from .noting import EXTENSION, LastRequests, Row, kept

CALLS = {client.client_id: client for client in (MOBILE, MOBILE_DPOP)}
"""Clients that a button lets call the API; the attacks are on the second."""

last_requests = flask.Blueprint("last_requests", __name__, url_prefix="/requests")


def add_last_requests(app: flask.Flask) -> None:
    """Let *app* keep its last requests, and serve the page."""
    app.extensions[EXTENSION] = LastRequests()
    app.register_blueprint(last_requests)


@last_requests.get("")
def show_all() -> ResponseReturnValue:
    """Show the newest requests and the buttons."""
    reasons = read_reasons([folder.FOLDER / "token_server.log", folder.FOLDER / "resource_server.log"])
    return flask.render_template(
        "last_requests.html",
        rows=[(row, find_reason(row, reasons)) for row in kept()],
        attacks={name: title for name, (title, _) in ATTACKS.items()},
        calls=list(CALLS),
    )


@last_requests.post("/attack/<name>")
def attack(name: str) -> ResponseReturnValue:
    """Run an attack on the DPoP client."""
    if name not in ATTACKS:
        flask.abort(404)
    try:
        for attempt in ATTACKS[name][1](make_caller(MOBILE_DPOP.client_id)):
            what = f"Attack {name}: {attempt.story}"
            kept().note(Outcome(what, attempt.exchange, attempt.went_as_it_must, during_attack=True))
    except (NoAnswer, WentWrong) as problem:
        flask.flash(str(problem))
    return flask.redirect(flask.url_for("last_requests.show_all"), 303)


@last_requests.post("/call/<client_id>")
def call(client_id: str) -> ResponseReturnValue:
    """Let a client get a token and call the API."""
    if client_id not in CALLS:
        flask.abort(404)
    try:
        walk(make_caller(client_id), Show(quiet=True), kept().note)
    except (NoAnswer, WentWrong) as problem:
        flask.flash(str(problem))
    return flask.redirect(flask.url_for("last_requests.show_all"), 303)


def make_caller(client_id: str) -> Caller:
    """A client of the demo, with its key."""
    config = flask.current_app.config
    return Caller(CALLS[client_id], issuer=config["OAUTH2_ISSUER"], api=config["OAUTH2_RESOURCE"])


def find_reason(row: Row, reasons: Mapping[str, PrivateReason]) -> PrivateReason | None:
    """Why the server refused this request, if it did and its log is here."""
    return reasons.get(row.exchange.reference or "")
