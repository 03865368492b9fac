"""An API needs neither SQLAlchemy nor the authorization server."""

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
unwanted = {"sqlalchemy", "flask_sqlalchemy", "redis", f"{package}.server", f"{package}.extension", f"{package}.state"}
print(sorted(unwanted & sys.modules.keys()))
"""


def test_a_fresh_process_loads_neither():
    finished = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)

    assert (finished.stdout, finished.returncode) == ("[]\n", 0), finished.stderr
