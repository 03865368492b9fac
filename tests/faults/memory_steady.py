"""Ten thousand of every operation leave a process with the memory, and the compiled statements, that it had.

python -m tests.faults.memory_steady [how many]
"""

import gc
import secrets
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import flask

from flask_private_key_jwt import note_sign_in
from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, VERIFIER, Browser, User, build_request
from tests.conftest import ASSERTION_TYPE, build_claims, make_app
from tests.faults.report import report_in_folder

ROUNDS = 10_000
WARM_UP_ROUNDS = 300
MAX_GROWTH_BYTES = 20_000_000


@dataclass(frozen=True)
class Outcome:
    """What one process went through."""

    rounds: int
    statements: int
    """How many compiled statements it kept, before and after."""
    growth_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.rounds} of every operation: {self.statements} compiled statements, before and after; "
            f"memory moved by {self.growth_bytes / 1e6:.1f} MB"
        )


class Life:
    """A client and its people, who do everything once in each round; nobody comes twice."""

    def __init__(self, folder: Path) -> None:
        self.app, oauth, db = make_app(f"sqlite:///{folder}/as.sqlite", OAUTH2_REPLAY_STORE="sql")
        self.db = db
        self.key = jose.generate_private_key("ES256")
        registration = {
            "client_id": APP_ID,
            "jwks": {"keys": [self.key.public_jwk()]},
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "redirect_uris": [REDIRECT_URI],
            "scope": "read write",
            "default_scope": "read",
        }
        oauth.user(lambda: User(flask.session["user"]) if "user" in flask.session else None)
        oauth.sign_in(lambda page: flask.redirect("/"))
        self.app.add_url_rule("/test/login/<name>", view_func=_log_in)
        with self.app.app_context():
            oauth.clients.add(registration)

    def live(self) -> None:
        """One round; every answer is the right one."""
        assert self.post("token", grant_type="client_credentials").status_code == 200
        pushed = self.post("par", **build_request()).json["request_uri"]
        browser = Browser(self.app).sign_in(secrets.token_hex(8))
        allowed = browser.decide(browser.open(urlencode({"client_id": APP_ID, "request_uri": pushed})))
        code = dict(parse_qsl(urlsplit(allowed.headers["Location"]).query))["code"]
        form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
        granted = self.post("token", code=code, **form).json
        refreshed = self.post("token", grant_type="refresh_token", refresh_token=granted["refresh_token"])
        token = refreshed.json["access_token"]
        assert self.post("introspect", token=token).json["active"] is True
        assert self.post("revoke", token=token).status_code == 200
        assert self.post("introspect", token=token).json == {"active": False}
        assert self.post("revoke", token=granted["refresh_token"]).status_code == 200

    def post(self, endpoint: str, **form: str) -> Any:
        claims = build_claims(int(time.time()), iss=APP_ID, sub=APP_ID)
        assertion = jose.sign({"kid": self.key.public.thumbprint}, claims, self.key)
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        return self.app.test_client().post(f"/oauth2/{endpoint}", data={**fields, **form})

    def count_statements(self) -> int:
        """How many statements are kept compiled: by SQLAlchemy for the app's engine, and by the way past it."""
        database = self.app.extensions["private_key_jwt"].authorizations._database
        return len(database.engine._compiled_cache) + len(database._opened().driver._compiled)


def _log_in(name: str) -> str:
    flask.session["user"] = name
    note_sign_in()
    return ""


def run(folder: Path, *, rounds: int = ROUNDS, warm_up: int = WARM_UP_ROUNDS) -> Outcome:
    """Live so many rounds in this process.

    :raises AssertionError: Statements or memory grow with them.
    """
    life = Life(folder)
    for _ in range(warm_up):
        life.live()
    statements, before = life.count_statements(), _memory()
    for _ in range(rounds):
        life.live()
    growth = _memory() - before
    assert life.count_statements() == statements, f"{statements} compiled statements, then {life.count_statements()}"
    assert growth < MAX_GROWTH_BYTES, f"memory moved by {growth / 1e6:.1f} MB"
    with life.app.app_context():
        life.db.engine.dispose()
    return Outcome(rounds, statements, growth)


def _memory() -> int:
    """What this process has in memory, in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def main(arguments: list[str]) -> int:
    rounds = int(arguments[0]) if arguments else ROUNDS
    return 0 if report_in_folder(partial(run, rounds=rounds)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
