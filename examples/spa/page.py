"""Serves the page and the library, at an origin of its own. The environment names the server and the API."""

import os
from pathlib import Path

import flask
from flask.typing import ResponseReturnValue

HERE = Path(__file__).parent
ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:5000")
API = os.environ.get("API", f"{ISSUER}/api")
NODE_MODULES = Path(os.environ.get("NODE_MODULES", HERE / "node_modules"))
LIBRARY = NODE_MODULES / "oauth4webapi" / "build"

app = flask.Flask(__name__, static_folder=None)


@app.get("/")
def page() -> ResponseReturnValue:
    """The page; the server's answer comes here too."""
    return flask.send_from_directory(HERE, "index.html")


@app.get("/<any('spa.mjs', 'kept.mjs'):name>")
def script(name: str) -> ResponseReturnValue:
    """One of our scripts."""
    return flask.send_from_directory(HERE, name, mimetype="text/javascript")


@app.get("/oauth4webapi.mjs")
def library() -> ResponseReturnValue:
    """The library, from this origin and no other."""
    return flask.send_from_directory(LIBRARY, "index.js", mimetype="text/javascript")


@app.get("/config.json")
def config() -> dict[str, str]:
    """Where the servers are."""
    return {"issuer": ISSUER, "api": API, "client_id": "spa"}


@app.after_request
def protect(response: flask.Response) -> flask.Response:
    """Only scripts of this origin run, and they talk to the two servers only."""
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self'; connect-src 'self' {ISSUER} {API}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache"
    return response
