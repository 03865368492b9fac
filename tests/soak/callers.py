"""Clients that do what they should, and send some of it a second time."""

import html
import json
import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.faults.acting import CHALLENGE, VERIFIER, find_code, find_header
from tests.faults.served import ISSUER, Answer, call
from tests.soak.ledger import Interrupted, Ledger
from tests.soak.server import RESOURCE

TOKEN = "/oauth2/token"
ALGORITHMS = ("ES256", "ES256", "ES384", "EdDSA", "PS256")
REPLAY_WITHIN_SECONDS = 35
"""An assertion lives a minute; a replay that comes later is refused for its age."""
_MACHINE = {"grant_type": "client_credentials"}


@dataclass
class Client:
    """A registered client; its key may be another one tomorrow."""

    client_id: str
    alg: str = "ES256"
    is_bound: bool = False
    """Whether it takes DPoP-bound tokens only."""
    key: jose.PrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = jose.generate_private_key(self.alg)

    @property
    def redirect_uri(self) -> str:
        return f"https://{self.client_id}.example/callback"

    def registration(self) -> dict[str, object]:
        return {
            "client_id": self.client_id,
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "redirect_uris": [self.redirect_uri],
            "scope": "read write",
            "default_scope": "read",
            "jwks": {"keys": [self.key.public_jwk()]},
            "dpop_bound_access_tokens": self.is_bound,
        }

    def form(self, **fields: str) -> bytes:
        """A form with a new assertion."""
        assertion = build_client_assertion(self.client_id, ISSUER, key=self.key)
        return urlencode({"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **fields}).encode()

    def proof(self, url: str = ISSUER + TOKEN, method: str = "POST", token: str | None = None) -> dict[str, str]:
        """The header with a new DPoP proof."""
        jti, now = secrets.token_hex(9), int(time.time())
        return {"DPoP": build_proof(self.key, jti=jti, method=method, url=url, now=now, access_token=token)}


@dataclass(frozen=True)
class Spent:
    """A request that succeeded, and may not succeed again."""

    what: str
    send: Callable[[], Answer]
    until: float


class World:
    """What all callers share.

    :param port: The server's.
    :param clients: Those whose registration stays as it is.
    """

    def __init__(self, port: int, clients: list[Client]) -> None:
        self.port = port
        self.clients = clients
        self.ledger = Ledger()
        self._spent: list[Spent] = []
        self._lock = threading.Lock()

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, **how: str
    ) -> Answer:
        """One request; a broken connection is an answer too, with status 0."""
        started = time.monotonic()
        source = f"127.0.0.{random.randrange(2, 250)}"  # many clients
        try:
            return call(self.port, method, path, body, headers=headers, source=source, **how)
        except OSError:
            return Answer(0, b"", {}, time.monotonic() - started, started)

    def post(self, path: str, form: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("POST", path, form, headers)

    def spend(self, what: str, send: Callable[[], Answer]) -> None:
        """Note a request that is spent, for whoever sends it again."""
        with self._lock:
            self._spent.append(Spent(what, send, time.monotonic() + REPLAY_WITHIN_SECONDS))

    def replay_one(self, chance: random.Random) -> None:
        """Send something once more that was spent a moment ago, or many seconds ago."""
        with self._lock:
            now = time.monotonic()
            self._spent = [spent for spent in self._spent if spent.until > now]
            if not self._spent:
                return
            spent = self._spent.pop(chance.randrange(len(self._spent)))
        try:
            self.ledger.replay(spent.what, spent.send())
        except Interrupted:
            with self._lock:
                self._spent.append(spent)


def use_machine(world: World, chance: random.Random) -> None:
    """A program gets a token for itself and calls the API."""
    client = chance.choice(world.clients)
    form, proof = client.form(**_MACHINE), client.proof() if client.is_bound else {}

    def ask() -> Answer:
        return world.post(TOKEN, form, proof)

    token = world.ledger.good("token", ask()).json["access_token"]
    world.spend("assertion", ask)
    if proof:
        world.spend("proof", lambda: world.post(TOKEN, client.form(**_MACHINE), proof))
    ends = chance.random() < 0.2
    _call_api(world, client, token, is_kept=not ends)
    if ends:
        _end_token(world, client, token)


def use_at_once(world: World, chance: random.Random) -> None:
    """One request is sent twice at the same moment: one token at most, and one if both are answered."""
    client = chance.choice(world.clients)
    form, proof = client.form(**_MACHINE), client.proof() if client.is_bound else {}
    answers: list[Answer] = []
    both = [threading.Thread(target=lambda: answers.append(world.post(TOKEN, form, proof))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    answers.sort(key=lambda answer: answer.status != 200)
    if answers[0].status == 200:
        world.ledger.good("token of two sends", answers[0])
        world.ledger.replay("assertion at once", answers[1])
        return
    if all(answer.status == 400 for answer in answers):
        world.ledger.fault("of two sends at once neither brought a token", answers[0])
    for answer in answers:
        if answer.status == 400:
            # The other one spent it, and its answer was lost.
            world.ledger.refusal("assertion at once, whose answer was lost", answer)
        else:
            world.ledger.good("token of two sends", answer)


def use_person(world: World, chance: random.Random) -> None:
    """A person lets a client act for them; the client takes a new token several times, and ends it."""
    client, person = chance.choice(world.clients), f"person-{chance.randrange(200)}"
    ledger = world.ledger
    bind: Callable[[], dict[str, str]] = client.proof if client.is_bound else dict
    request = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": "read",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    if chance.random() < 0.5:
        pushed = ledger.good("pushed request", world.post("/oauth2/par", client.form(**request)), 200, 201).json
        request = {"client_id": client.client_id, "request_uri": pushed["request_uri"]}
    answer = _allow(world, request, person)
    code = find_code(answer)
    if code is None:
        ledger.fault(f"no code: {answer.status} {answer.headers.get('location')}")
        return
    grant = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": VERIFIER,
    }
    tokens = ledger.good("code", world.post(TOKEN, client.form(**grant), bind())).json
    first = tokens["refresh_token"]
    ending = chance.choice(("replay", "revocation", "none"))
    for _ in range(chance.randrange(1, 4)):
        _call_api(world, client, tokens["access_token"], is_kept=ending == "none")
        fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        tokens = ledger.good("refresh token", world.post(TOKEN, client.form(**fields), bind())).json
    if "request_uri" in request and chance.random() < 0.5:
        query = urlencode(request)
        ledger.replay("request_uri", world.send("GET", f"/oauth2/authorize?{query}", headers={"Person": person}))
    if ending == "replay":
        ledger.replay("code", world.post(TOKEN, client.form(**grant), bind()))
        fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        ledger.refusal("refresh token of a code that came twice", world.post(TOKEN, client.form(**fields), bind()))
    elif ending == "revocation":
        _end_token(world, client, tokens["access_token"])
        ledger.good("revocation", world.post("/oauth2/revoke", client.form(token=tokens["refresh_token"])))
        fields = {"grant_type": "refresh_token", "refresh_token": first}
        ledger.refusal("refresh token that was revoked", world.post(TOKEN, client.form(**fields), bind()))


def come_and_go(world: World, chance: random.Random) -> None:
    """A client registers itself, changes its key, and removes itself."""
    ledger, client = world.ledger, Client("newcomer", alg=chance.choice(("ES256", "EdDSA")))
    metadata: dict[str, Any] = {"jwks": {"keys": [client.key.public_jwk()]}, "scope": "read"}
    answer = _send_json(world, "POST", "/oauth2/register", metadata)
    made = ledger.good("registration", answer, 201).json
    client.client_id = made["client_id"]
    place = urlsplit(made["registration_client_uri"])
    path, allowed = f"{place.path}?{place.query}", {"Authorization": f"Bearer {made['registration_access_token']}"}
    ledger.good("token of a newcomer", world.post(TOKEN, client.form(**_MACHINE)))
    old, client.key = client.key, jose.generate_private_key("ES256")
    changed = {"client_id": client.client_id, "jwks": {"keys": [client.key.public_jwk()]}, "scope": "read"}
    made = ledger.good("change of a registration", _send_json(world, "PUT", path, changed, allowed)).json
    allowed = {"Authorization": f"Bearer {made.get('registration_access_token', allowed['Authorization'][7:])}"}
    ledger.good("token by a newcomer's new key", world.post(TOKEN, client.form(**_MACHINE)))
    new, client.key = client.key, old
    ledger.refusal("a newcomer's old key", world.post(TOKEN, client.form(**_MACHINE)))
    client.key = new
    if chance.random() < 0.8:
        ledger.good("removal of a newcomer", world.send("DELETE", path, headers=allowed), 204)
        ledger.refusal("a client that removed itself", world.post(TOKEN, client.form(**_MACHINE)))


def read_documents(world: World, _: random.Random) -> None:
    """Somebody reads what is public."""
    for path in (
        "/.well-known/oauth-authorization-server",
        "/oauth2/jwks",
        "/.well-known/oauth-protected-resource",
        "/health/live",
    ):
        world.ledger.good(path, world.send("GET", path))


def _call_api(world: World, client: Client, token: str, *, is_kept: bool) -> None:
    """The API is called once.

    :param is_kept: Whether the token stays good, so that only the proof can be wrong when the call comes again.
    """
    path = "/bound" if client.is_bound else "/values"
    scheme = "DPoP" if client.is_bound else "Bearer"
    headers = {"Authorization": f"{scheme} {token}"}
    if client.is_bound:
        headers |= client.proof(RESOURCE + path, "GET", token)
    world.ledger.good("API call", world.send("GET", path, headers=headers))
    if client.is_bound and is_kept:
        world.spend("proof at the API", lambda: world.send("GET", path, headers=headers))


def _end_token(world: World, client: Client, token: str) -> None:
    """The token is introspected, revoked and then dead."""
    ledger = world.ledger
    for is_active in (True, False):
        said = ledger.good("introspection", world.post("/oauth2/introspect", client.form(token=token))).json
        if said["active"] is not is_active:
            ledger.fault(f"introspection says {said} of a token that is {'good' if is_active else 'revoked'}")
        if is_active:
            ledger.good("revocation", world.post("/oauth2/revoke", client.form(token=token)))
    headers = {"Authorization": f"{'DPoP' if client.is_bound else 'Bearer'} {token}"}
    if client.is_bound:
        headers |= client.proof(f"{RESOURCE}/bound", "GET", token)
    path = "/bound" if client.is_bound else "/values"
    ledger.refusal("call with a revoked token", world.send("GET", path, headers=headers))


def _allow(world: World, request: Mapping[str, str], person: str) -> Answer:
    """What the person's browser is sent back with, their consent included."""
    ledger, who = world.ledger, {"Person": person}
    path = f"/oauth2/authorize?{urlencode(request)}"
    page = ledger.good("authorization page", world.send("GET", path, headers=who), 200, 302, 303)
    if page.status != 200:
        return page
    text = page.body.decode()
    action = re.search(r'action="([^"]*)"', text)
    token = re.search(r'name="decision_token" value="([^"]*)"', text)
    if action is None or token is None:
        ledger.fault(f"a page without a form: {text[:200]!r}")
        raise Interrupted
    cookie = {"Cookie": find_header(page, "Set-Cookie").partition(";")[0]}
    form = urlencode({"decision_token": token[1], "decision": "allow"}).encode()
    return ledger.good("consent", world.post(html.unescape(action[1]), form, {**who, **cookie}), 302, 303)


def _send_json(
    world: World, method: str, path: str, document: object, headers: Mapping[str, str] | None = None
) -> Answer:
    body = json.dumps(document).encode()
    return world.send(method, path, body, headers, content_type="application/json")
