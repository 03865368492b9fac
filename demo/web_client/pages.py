"""The pages: who is signed in, sign-in and the way back, what the token server and the API say, sign-out."""

import re
from dataclasses import dataclass
from typing import Any

import flask
import requests
from authlib.integrations.base_client import OAuthError
from flask.typing import ResponseReturnValue

from ..clients import WEB
from .memory import SignedIn
from .provider import find_person, provider

PAGE_HEADERS = {
    # No form-action: browsers also apply it to the redirects after sign-out, which lead to the token server.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
MOST_SIGN_INS_UNDER_WAY = 10
"""For one browser: each needs space in its cookie, and browsers silently drop a cookie that is too large."""
MOST_NAME_CHARACTERS = 100
_LOCALHOST = re.compile(r"localhost((?::[0-9]+)?)", re.IGNORECASE)

pages = flask.Blueprint("pages", __name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a request with the person's access token."""

    url: str
    status: int | None = None
    """``None``: it said nothing that can be read."""
    data: Any = None


@pages.before_app_request
def use_one_name() -> ResponseReturnValue | None:
    """Lead from ``localhost`` to the address that the client is registered with: cookies know only one of them."""
    match = _LOCALHOST.fullmatch(flask.request.host)
    return flask.redirect(f"http://127.0.0.1{match[1]}{flask.url_for('pages.home')}") if match else None


@pages.after_app_request
def protect(response: flask.Response) -> flask.Response:
    """Give every page its headers."""
    response.headers.update(PAGE_HEADERS)
    return response


@pages.get("/")
def home() -> ResponseReturnValue:
    """Say who is signed in."""
    return flask.render_template("home.html", person=find_person(), issuer=provider().issuer)


@pages.get("/login")
def login() -> ResponseReturnValue:
    """Send the person to the token server; Authlib makes state, nonce and PKCE."""
    provider().endpoint("authorization_endpoint")
    forget_old_sign_ins()
    answer: ResponseReturnValue = provider().client.authorize_redirect(flask.url_for("pages.callback", _external=True))
    return answer


def forget_old_sign_ins() -> None:
    """Keep the newest of this browser's sign-ins that were begun and not finished."""
    under_way = [name for name in flask.session if name.startswith("_state_")]
    under_way.sort(key=lambda name: float(flask.session[name]["exp"]), reverse=True)
    for name in under_way[MOST_SIGN_INS_UNDER_WAY - 1 :]:
        flask.session.pop(name)


@pages.get("/callback")
def callback() -> ResponseReturnValue:
    """Take the answer of the token server, and sign the person in."""
    token = provider().authorize_access_token()
    person = SignedIn(token.pop("userinfo"), token)
    info = provider().load_userinfo(person)
    person.name = str(info.get("name") or info.get("preferred_username") or info["sub"])[:MOST_NAME_CHARACTERS]
    provider().people.forget(flask.session.get("handle"))
    flask.session.clear()  # nothing that was in this session before is worth anything now
    flask.session["handle"] = provider().people.add(person)
    return flask.redirect(flask.url_for("pages.me"), 303)


@pages.get("/me")
def me() -> ResponseReturnValue:
    """Show the ID token's claims, and what UserInfo and the API say to the access token."""
    person = find_person()
    if person is None:
        return flask.redirect(flask.url_for("pages.home"), 303)
    userinfo_url = provider().endpoint("userinfo_endpoint")
    api_url = flask.current_app.config["OAUTH2_RESOURCE"] + WEB.path
    answers = {"UserInfo": ask(userinfo_url, person), "The API": ask(api_url, person)}
    return flask.render_template("me.html", person=person, answers=answers)


def ask(url: str, person: SignedIn) -> Answer:
    """Send a GET with the person's access token, and take whatever is said.

    :raises OAuthError: The token could not be refreshed.
    """
    try:
        answer = provider().get(url, person)
        return Answer(url, answer.status_code, answer.json())
    except (requests.RequestException, ValueError):  # away, or no JSON
        return Answer(url)


@pages.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out here, give the tokens back, and go on to the token server (OpenID Connect RP-Initiated Logout §2)."""
    person = find_person()
    provider().people.forget(flask.session.get("handle"))
    flask.session.clear()
    if person is None:
        return flask.redirect(flask.url_for("pages.home"), 303)
    try:
        provider().revoke(person.token)
        can_go_on = provider().find_endpoint("end_session_endpoint") is not None
    except requests.RequestException:
        can_go_on = False
    if not can_go_on:
        return flask.render_template("signed_out.html", everywhere=False)
    answer: flask.Response = provider().client.logout_redirect(
        post_logout_redirect_uri=flask.url_for("pages.signed_out", _external=True),
        id_token_hint=person.token["id_token"],
        client_id=WEB.client_id,
    )
    answer.status_code = 303  # a GET, not the form again
    return answer


@pages.get("/signed-out")
def signed_out() -> ResponseReturnValue:
    """Where the token server sends the browser after sign-out."""
    try:
        provider().client.validate_logout_response()
    except OAuthError:  # not from a sign-out begun here
        return flask.redirect(flask.url_for("pages.home"), 303)
    return flask.render_template("signed_out.html", everywhere=True)
