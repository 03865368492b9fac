"""A web application that people sign in to through the demo's token server: usual Flask, on Authlib's own client.

    FLASK_APP=demo.web_client flask run -p 5010

It has no client secret: it signs an assertion for each request to the token server, see provider.py.

provider.py  the token server as this application knows it
pages.py     home, sign-in, the way back, what was learnt, sign-out
memory.py    what is kept here and not in the browser: tokens, and sign-ins under way
trouble.py   what people read when something did not work
last_requests.py  what was sent last, with the reasons of refusals; the attacks as buttons
noting.py    how that is kept, decoded
"""

import secrets

import flask
from flask_wtf import CSRFProtect

from ..run_mark import mark_answers
from .last_requests import add_last_requests
from .pages import pages
from .provider import add_provider
from .trouble import add_trouble_pages


def create_app() -> flask.Flask:
    """Make the app. One process serves it: what it knows of people is in its memory only."""
    app = flask.Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=secrets.token_urlsafe(32),  # for the session cookie only, and gone with this process
        OAUTH2_ISSUER="http://127.0.0.1:5001",
        OAUTH2_RESOURCE="http://127.0.0.1:5005",  # the API it calls for people
        # Cookies know hosts, not ports: the token server on this machine has cookies of its own.
        SESSION_COOKIE_NAME="demo_web_client",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # not Strict: people come back from the token server's pages
        TRUSTED_HOSTS=["127.0.0.1", "localhost"],  # the redirect URI is made from the Host header
        WTF_CSRF_SSL_STRICT=False,  # over https it would look at the Referer, which our pages take away
    )
    app.config.from_prefixed_env()
    CSRFProtect(app)
    add_provider(app)
    app.register_blueprint(pages)
    add_last_requests(app)
    add_trouble_pages(app)
    mark_answers(app)
    return app
