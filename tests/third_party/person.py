"""A site with people, and a person with a browser who allows what they are asked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
import requests

from flask_private_key_jwt import note_sign_in
from tests.third_party.conftest import Site, serving_site

REDIRECT_URI = "https://app.example/callback?tenant=1"
PERSON = "alice"


class User:
    def get_id(self) -> str:
        return PERSON


@contextmanager
def serving_people(folder: Any, **config: Any) -> Iterator[Site]:
    """Both servers, where whoever comes to sign in is signed in."""
    with serving_site(folder, **config) as site:
        site.oauth.user(lambda: User() if "signed_in" in flask.session else None)
        site.oauth.sign_in(lambda page: flask.redirect(flask.url_for("sign_in", next=page.return_url)))

        @site.app.get("/sign-in")
        def sign_in() -> Any:
            flask.session["signed_in"] = True
            note_sign_in()
            return flask.redirect(flask.request.args["next"])

        yield site


def decide(site: Site, url: str, decision: str = "allow") -> str:
    """Open an authorization URL, sign in, press a button: the URL the browser is sent to."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=5)
        assert page.status_code == 200, page.text
        action = re.search(r'action="([^"]*)"', page.text)[1].replace("&amp;", "&")  # type: ignore[index]
        token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]  # type: ignore[index]
        form = {"decision_token": token, "decision": decision}
        answer = browser.post(site.issuer + action, data=form, allow_redirects=False, timeout=5)
        assert answer.status_code == 303
        return answer.headers["Location"]
