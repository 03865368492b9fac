"""An API needs neither SQLAlchemy nor the authorization server, and the client's side only where it asks its issuer."""

import subprocess
import sys

SCRIPT = """
import sys
import flask
from flask_private_key_jwt import ResourceProtector, current_token

app = flask.Flask("api")
app.config.from_mapping(
    OAUTH2_ISSUER="https://as.example", OAUTH2_RESOURCE="https://api.example", OAUTH2_REPLAY_STORE="memory"
)
require_oauth = ResourceProtector()
require_oauth.init_app(app)
app.get("/")(require_oauth()(lambda: current_token["client_id"]))
assert app.test_client().get("/").status_code == 401
assert app.test_client().get("/", headers={"Authorization": "DPoP x", "DPoP": "y"}).status_code in (401, 503)
package = "flask_private_key_jwt"
unwanted = {"sqlalchemy", "flask_sqlalchemy", "redis", f"{package}.extension", f"{package}.authorization_server"}
print(sorted(unwanted & sys.modules.keys()), f"{package}.client" in sys.modules)
"""

ONLINE_SCRIPT = """
from flask_private_key_jwt.jose import jose

app = flask.Flask("asking")
app.config.from_mapping(
    OAUTH2_ISSUER="https://as.example", OAUTH2_RESOURCE="https://api.example", OAUTH2_CLIENT_ID="the-api",
    OAUTH2_CLIENT_KEY=jose.generate_private_key("ES256").as_pem().decode(),
)
app.get("/")(require_oauth(online=True)(lambda: current_token["client_id"]))
require_oauth.init_app(app)
print(sorted(unwanted & sys.modules.keys()), f"{package}.client" in sys.modules)
"""


WITHOUT_FLASK = """
import asyncio
import sys
from flask_private_key_jwt.resource_server import ASGIProtector, WSGIProtector, find_token

settings = {
    "OAUTH2_ISSUER": "https://as.example", "OAUTH2_RESOURCE": "https://api.example", "OAUTH2_REPLAY_STORE": "memory"
}
WSGIProtector(settings).protect(lambda environ, start_response: [b""], "read")

async def view(scope, receive, send):
    raise AssertionError

async def send(message):
    answers.append(message)

answers = []
app = ASGIProtector(settings).protect(view, "read", dpop="required")
scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"authorization", b"DPoP x"), (b"dpop", b"y")]}
asyncio.run(app(scope, None, send))
assert answers[0]["status"] == 401
print(sorted({"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy", "redis", "starlette"} & sys.modules.keys()))
"""


def run(script):
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def test_a_fresh_process_loads_neither():
    assert run(SCRIPT) == ["[] False"]


def test_an_api_that_asks_its_issuer_loads_the_client_s_side_and_no_more():
    assert run(SCRIPT + ONLINE_SCRIPT) == ["[] False", "[] True"]


def test_an_api_without_flask_loads_neither_flask_nor_a_database():
    assert run(WITHOUT_FLASK) == ["[]"]
