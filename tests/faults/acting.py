"""What the races share: a token server with people, its clients, every kind of database, and twenty callers at once."""

import html
import os
import re
import secrets
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import flask
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.faults import served
from tests.faults.served import ISSUER, Answer, Served, call
from tests.servers.throwaway import server_url

FACTORY = "tests.faults.acting:create_app"
AT_ONCE = 20
DATABASES = ("sqlite", "postgres", "mariadb")
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
_T = TypeVar("_T")


class Person:
    """Whoever opens a page here is signed in."""

    def get_id(self) -> str:
        return "alice"


def create_app() -> flask.Flask:
    """The token server of the other programs, with a person who is always signed in."""
    app = served.create_app()
    _, oauth = app.extensions["tests"]
    oauth.user(Person)
    oauth.sign_in(lambda page: "nobody comes here")
    app.after_request(_name_worker)
    return app


def _name_worker(response: flask.Response) -> flask.Response:
    response.headers["Worker"] = str(os.getpid())
    return response


@dataclass(frozen=True)
class Client:
    """A client that acts for the person; each of its requests is signed anew."""

    client_id: str
    redirect_uri: str
    is_public: bool
    key: jose.PrivateKey = field(default_factory=lambda: jose.generate_private_key("ES256"))

    def registration(self) -> dict[str, object]:
        metadata: dict[str, object] = {
            "client_id": self.client_id,
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "redirect_uris": [self.redirect_uri],
            "scope": "read",
            "default_scope": "read",
        }
        if not self.is_public:
            return {**metadata, "jwks": {"keys": [self.key.public_jwk()]}}
        metadata["grant_types"] = ["authorization_code", "refresh_token"]
        return {**metadata, "token_endpoint_auth_method": "none", "application_type": "native"}

    def form(self, **fields: str) -> bytes:
        """A form with the client's authentication."""
        if self.is_public:
            return urlencode({"client_id": self.client_id, **fields}).encode()
        assertion = build_client_assertion(self.client_id, ISSUER, key=self.key)
        return urlencode({"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **fields}).encode()

    def proof(self) -> dict[str, str]:
        """The header with a new DPoP proof for the token endpoint."""
        url, jti = f"{ISSUER}/oauth2/token", secrets.token_hex(9)
        return {"DPoP": build_proof(self.key, jti=jti, method="POST", url=url, now=int(time.time()))}

    def request(self) -> dict[str, str]:
        """The parameters of an authorization request."""
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "read",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }

    def grant(self, code: str) -> dict[str, str]:
        """What redeems a code."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
        }


CONFIDENTIAL = Client("webapp", "https://app.example/callback", is_public=False)
PUBLIC = Client("phone", "http://127.0.0.1/callback", is_public=True)


def open_authorization(port: int, query: Mapping[str, str]) -> Answer:
    """What a browser of its own gets for an authorization request, the person's consent included."""
    answer = call(port, "GET", f"/oauth2/authorize?{urlencode(query)}")
    if answer.status != 200:
        return answer
    action = re.search(r'action="([^"]*)"', answer.body.decode())
    token = re.search(r'name="decision_token" value="([^"]*)"', answer.body.decode())
    assert action is not None, "no form on the consent page"
    assert token is not None, "no token on the consent page"
    cookie = {"Cookie": find_header(answer, "Set-Cookie").partition(";")[0]}
    form = urlencode({"decision_token": token[1], "decision": "allow"}).encode()
    return call(port, "POST", html.unescape(action[1]), form, headers=cookie)


def find_header(answer: Answer, name: str) -> str:
    """A header of an answer, whose names some servers write small; empty where it has none."""
    return next((value for each, value in answer.headers.items() if each.lower() == name.lower()), "")


def find_code(answer: Answer) -> str | None:
    """The code that an answer sends to the client, if it does."""
    location = find_header(answer, "Location")
    return next(iter(parse_qs(urlsplit(location).query).get("code", [])), None)


def get_code(port: int, client: Client) -> str:
    code = find_code(open_authorization(port, client.request()))
    assert code is not None, "no code"
    return code


def at_once(send: Callable[[int], _T], count: int = AT_ONCE) -> list[_T]:
    """Call *send* from *count* threads, all at the same moment."""
    together = threading.Barrier(count)

    def wait_and_send(number: int) -> _T:
        together.wait()
        return send(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_send, range(count)))


def count_workers(answers: Sequence[Answer]) -> int:
    """How many processes gave these answers."""
    return len({find_header(answer, "Worker") for answer in answers})


# --- databases ----------------------------------------------------------------------------------------------------
@contextmanager
def database(name: str, folder: Path) -> Iterator[str | None]:
    """The URL of an empty database, which goes away with the block; ``None``: this machine has no such server."""
    if name == "sqlite":
        yield f"sqlite:///{folder}/as.sqlite"
        return
    with ExitStack() as stack:
        try:
            url = stack.enter_context(server_url(name))
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            print(f"{name}: skipped: {missing}", flush=True)
            yield None
            return
        yield stack.enter_context(_own_database(url))


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    name = f"races_{secrets.token_hex(4)}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            force = " WITH (FORCE)" if server.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {name}{force}"))
        server.dispose()


@contextmanager
def serving(kind: str, url: str, folder: Path) -> Iterator[Served]:
    """Two workers of a server of *kind* on the database at *url*, with tables and clients."""
    environment = {
        "FLASK_SQLALCHEMY_DATABASE_URI": url,
        "FLASK_OAUTH2_REFRESH_TOKEN_ROTATION": "all",
    }
    served.register(create_app, environment, [client.registration() for client in (CONFIDENTIAL, PUBLIC)])
    with served.serving(kind, folder, environment, factory=FACTORY) as running:
        yield running


def run_everywhere(race: Callable[[Served, str], str], kinds: Sequence[str] = ("granian", "gunicorn")) -> int:
    """Run *race* on every server and database there is, and print what it says; the exit code of a program.

    :param race: Gets the server and the URL of its database; says what was measured.
    """
    failed = False
    for kind in kinds:
        for name in DATABASES:
            with tempfile.TemporaryDirectory() as path, database(name, Path(path)) as url:
                if url is None:
                    continue
                try:
                    with serving(kind, url, Path(path)) as running:
                        print(f"{kind}, {name}: {race(running, url)}", flush=True)
                except AssertionError as error:
                    print(f"{kind}, {name}: FAILED: {error}", flush=True)
                    failed = True
    return 1 if failed else 0
