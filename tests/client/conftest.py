"""Two small servers to call: an authorization server and an API, real HTTP on loopback, made to misbehave at will."""

import contextlib
import io
import json
import threading
from dataclasses import dataclass, field

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from flask_private_key_jwt.client import IntrospectionClient
from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.jose import jose
from tests.client.libraries import AUTHS, ERRORS, TOKEN_CLIENTS, open_session

CLIENT_ID = "billing"


@contextlib.contextmanager
def serving(app):
    """Run a WSGI app on a port of its own and set its ``url``."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    app.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Call:
    """One request as it arrived, with its JWTs taken apart."""

    method: str
    url: str
    headers: dict
    body: bytes
    form: dict

    @property
    def assertion(self):
        return jose.parse(self.form["client_assertion"], max_bytes=8192)

    @property
    def proof(self):
        return jose.parse(self.headers["Dpop"], max_bytes=8192) if "Dpop" in self.headers else None

    @property
    def proof_key(self):
        """The key of a proof whose signature it made."""
        key = jose.import_public_jwk(self.proof.header["jwk"])
        assert jose.verify(self.proof, key)
        return key

    def fits_proof(self):
        """Whether the proof is for this request and its token."""
        claims, token = self.proof.claims, self.headers["Authorization"].removeprefix("DPoP ")
        return (claims["htm"], claims["htu"], claims["ath"]) == (self.method, self.url, access_token_hash(token))


@dataclass
class Server:
    """Keeps what it was sent; answers from ``script`` first, then as usual."""

    url: str = ""
    calls: list = field(default_factory=list)
    script: list = field(default_factory=list)
    """Answers to give instead of the usual one, first come, first served; ``None`` is the usual one."""
    nonce: str | None = None
    """The nonce a proof must carry."""
    gate: threading.Event | None = None
    """Answers wait until it is set."""

    def __call__(self, environ, start_response):
        request = Request(environ)
        body = request.get_data(parse_form_data=False)
        is_form = request.mimetype == "application/x-www-form-urlencoded"
        form = dict(Request({**environ, "wsgi.input": io.BytesIO(body)}).form) if is_form else {}
        call = Call(request.method, request.base_url, dict(request.headers), body, form)
        return self.answer(request, call)(environ, start_response)

    def answer(self, request, call):
        self.calls.append(call)
        if self.gate:
            self.gate.wait(60)
        scripted = self.script.pop(0) if self.script else None
        if scripted is None and self.nonce and call.proof and call.proof.claims.get("nonce") != self.nonce:
            scripted = self.ask_for_nonce(self.nonce)
        return scripted or self.usual_answer(call)

    @property
    def proofs(self):
        return [call.proof.claims for call in self.calls]


@dataclass
class AuthorizationServer(Server):
    """Gives out ``token-1``, ``token-2`` and so on; those are active until they are revoked."""

    issued: int = 0
    members: dict = field(default_factory=dict)
    """Members of the token answer to change; ``None`` leaves one out."""
    metadata_members: dict = field(default_factory=dict)
    discoveries: int = 0
    revoked: list = field(default_factory=list)

    def answer(self, request, call):
        if request.path == "/.well-known/oauth-authorization-server":
            self.discoveries += 1
            endpoints = {f"{name}_endpoint": f"{self.url}/{name}" for name in ("token", "introspection", "revocation")}
            return json_answer({"issuer": self.url, **endpoints, **self.metadata_members})
        return super().answer(request, call)

    def usual_answer(self, call):
        if call.url.endswith("/introspection"):
            active = call.form["token"].startswith("token-") and call.form["token"] not in self.revoked
            return json_answer({"active": active, **({"scope": "read", "sub": "alice"} if active else {})})
        if call.url.endswith("/revocation"):
            self.revoked.append(call.form["token"])
            return Response()
        return self.issue(call)

    def issue(self, call):
        self.issued += 1
        bound = call.proof is not None
        members = {
            "access_token": f"token-{self.issued}",
            "token_type": "DPoP" if bound else "Bearer",
            "expires_in": 600,
            **self.members,
        }
        return json_answer({name: value for name, value in members.items() if value is not None})

    @staticmethod
    def ask_for_nonce(nonce, **headers):
        return json_answer({"error": "use_dpop_nonce"}, 400, **{"DPoP-Nonce": nonce, **headers})

    @staticmethod
    def refuse(error, status=400, **members):
        return json_answer({"error": error, **members}, status)


@dataclass
class Api(Server):
    """Says ``ok`` to everything."""

    def usual_answer(self, call):
        return Response("ok")

    @staticmethod
    def ask_for_nonce(nonce):
        challenge = 'DPoP error="use_dpop_nonce", error_description="again", algs="ES256"'
        return Response(status=401, headers={"WWW-Authenticate": challenge, "DPoP-Nonce": nonce})

    @staticmethod
    def refuse(error="invalid_token", scheme="DPoP"):
        return Response("no", status=401, headers={"WWW-Authenticate": f'{scheme} error="{error}"'})

    @property
    def tokens(self):
        return [call.headers.get("Authorization") for call in self.calls]


def json_answer(members, status=200, **headers):
    return Response(json.dumps(members), status=status, content_type="application/json", headers=headers)


def redirect(location, status=307):
    return Response(status=status, headers={"Location": location})


@pytest.fixture
def token_server():
    with serving(AuthorizationServer()) as server:
        yield server


@pytest.fixture
def api():
    with serving(Api()) as server:
        yield server


@pytest.fixture
def other_api():
    with serving(Api()) as server:
        yield server


@pytest.fixture(scope="session")
def key(keys):
    return keys("ES256", "client")


@pytest.fixture(scope="session")
def rsa_key(keys):
    return keys("PS256", "client")


@pytest.fixture
def library():
    """The HTTP library that the client uses; a module that tests what all have in common parametrizes it."""
    return "requests"


@pytest.fixture
def call_error(library):
    """The class that each failed call of the library has."""
    return ERRORS[library]


@pytest.fixture
def make_client(token_server, key, library):
    return lambda **options: TOKEN_CLIENTS[library](token_server.url, CLIENT_ID, **{"key": key, **options})


@pytest.fixture
def make_introspector(token_server, key):
    return lambda **options: IntrospectionClient(token_server.url, CLIENT_ID, **{"key": key, **options})


@pytest.fixture
def make_auth(token_server, api, key, library):
    def make_auth(**options):
        options = {"key": key, "resource": api.url, "dpop": True, **options}
        return AUTHS[library](token_server.url, CLIENT_ID, **options)

    return make_auth


@pytest.fixture
def session(library):
    with open_session(library) as session:
        yield session


@pytest.fixture
def call_api(session, make_auth, api):
    """Call the API through a session that is authenticated; the first call decides by which options."""

    def call_api(path="/values", *, method="GET", options=None, **request):
        if session.auth is None:
            session.auth = make_auth(**(options or {}))
        return session.request(method, api.url + path, **request)

    return call_api
