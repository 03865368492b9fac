"""A third party that shows people their accounts at the bank. The environment may set what is set here."""

import secrets

import flask
import requests
from flask.typing import ResponseReturnValue

from flask_private_key_jwt.client import (
    AuthorizationCodeClient,
    MappingTokenStore,
    PendingSignIns,
    PersonTokens,
    SignInRequired,
)

app = flask.Flask(__name__)
app.config.from_mapping(SESSION_COOKIE_NAME="third_party", BANK="http://127.0.0.1:5000")
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_BANK
accounts = f"{app.config['BANK']}/accounts"
client = AuthorizationCodeClient(
    app.config["BANK"], "third-party", key="third_party.pem", dpop_key="dpop.pem", timeout=30
)
tokens_of_people: dict[str, PersonTokens] = {}  # in production a table: docs/web-login.md


def find_store() -> MappingTokenStore:
    return MappingTokenStore(tokens_of_people, flask.session.get("handle", ""))


@app.get("/")
def home() -> ResponseReturnValue:
    """The accounts of who is here, or the way to the bank."""
    try:
        answer = requests.get(accounts, auth=client.auth(find_store(), resource=accounts), timeout=30)
    except SignInRequired:
        started = client.start(flask.url_for("callback", _external=True), scope="accounts", resource=accounts)
        PendingSignIns(flask.session).add(started.pending)
        return flask.redirect(started.url)
    return answer.json(), answer.status_code


@app.get("/callback")
def callback() -> ResponseReturnValue:
    """The person comes back from the bank."""
    tokens = client.finish(flask.request.args, PendingSignIns(flask.session).take(flask.request.args))
    flask.session["handle"] = secrets.token_urlsafe()  # a new one: nobody else can have put it there
    find_store().save(tokens)
    return flask.redirect(flask.url_for("home"))


@app.errorhandler(requests.RequestException)
def failed(error: requests.RequestException) -> ResponseReturnValue:
    """What the bank refuses, and what strangers bring."""
    return {"error": str(error)}, 400
