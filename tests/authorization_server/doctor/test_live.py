"""Attacks on a running server: each is sent for real, and nothing is left of them."""

import json
import time
from threading import current_thread

import pytest

from flask_private_key_jwt import clock
from flask_private_key_jwt.authorization_server.doctor import live, live_modules
from flask_private_key_jwt.authorization_server.doctor.deployment import Outside, open_deployment
from flask_private_key_jwt.authorization_server.doctor.examination import Examination
from flask_private_key_jwt.authorization_server.doctor.live_modules import MODULES, Module
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.fetching.exchange import NoAnswer
from flask_private_key_jwt.fetching.outbound import Outbound
from flask_private_key_jwt.jose import jose
from tests.authorization_server.doctor.conftest import read_all
from tests.openid_suite.test_modules import LEFT_OUT, MESSAGE_SIGNING, PORTED


@pytest.fixture(autouse=True)
def few_repetitions(monkeypatch):
    """One process has one store: a used message need not be shown often."""
    monkeypatch.setattr(live_modules, "AGAIN", 2)


@pytest.fixture
def attack(app):
    """The rows of an attack alone, by their ids."""

    def attack():
        rows = {}
        with app.app_context():
            deployment = open_deployment(Outside(Outbound(proxies={})))
            live.attack(Examination(deployment, lambda row: rows.update({row.id: row.as_json()})))
        return rows

    return attack


PROFILES = {
    "oauth": {},
    "fapi2": {"OAUTH2_PROFILE": "fapi2"},
    "fapi2 with nonces": {"OAUTH2_PROFILE": "fapi2", "OAUTH2_DPOP_NONCE": "required"},
    "mcp": {"OAUTH2_PROFILE": "mcp", "OAUTH2_CLIENT_ID_SCOPES": ["read"], "OAUTH2_SCOPES": ["read"]},
    "openid alone": {"OAUTH2_SCOPES": ["openid"]},
    "smart": {"OAUTH2_PROFILE": "smart"},
    "atproto": {"OAUTH2_PROFILE": "atproto"},
}


@pytest.mark.parametrize("settings", PROFILES.values(), ids=PROFILES)
def test_every_attack_is_refused_under_every_profile(attack):
    rows = attack()

    assert read_all(rows) == [], [row for row in rows.values() if row["ok"] is False]
    assert list(rows) == ["live-client", *(module.id for module in MODULES), "live-clean-up"]


class TestPostgres:
    @pytest.fixture
    def database_url(self, postgres_url):
        return postgres_url

    def test_every_attack_is_refused_on_a_database_server(self, app, attack):
        rows = attack()

        assert read_all(rows) == []
        assert find_clients(app) == []


# --- nothing is left ------------------------------------------------------------------------------------------------
class Listening:
    """Passes requests on, and keeps the bodies of the answers; it may do something at a certain request."""

    def __init__(self, application):
        self._application = application
        self.bodies = []
        self.forms = 0
        self.at = {}

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            self.forms += 1
            if action := self.at.get(self.forms):
                action()
        body = b"".join(self._application(environ, start_response))
        self.bodies.append(body)
        return [body]

    @property
    def tokens(self):
        return [json.loads(body)["access_token"] for body in self.bodies if b'"access_token"' in body]


@pytest.fixture
def listening(app, site):
    site.application = Listening(app.wsgi_app)
    return site.application


def find_clients(app):
    with app.app_context():
        return [client.client_id for client in app.extensions["private_key_jwt"].clients.all()]


def test_client_is_removed_and_its_tokens_are_bound_and_revoked(app, attack, listening):
    rows = attack()

    assert rows["live-clean-up"]["ok"]
    assert find_clients(app) == []
    assert len(listening.tokens) == 3  # the happy flow, and the first use of an assertion and of a proof
    for token in listening.tokens:
        _, claims = jose.decode_unverified(token)
        assert claims["cnf"]["jkt"]
        with app.app_context():
            assert app.extensions["private_key_jwt"].is_revoked(claims)


@pytest.mark.parametrize("settings", [{"OAUTH2_AUDIT": "sql"}])
def test_making_and_removing_the_client_are_in_the_audit_trail(app, attack):
    attack()

    outcome = app.test_cli_runner().invoke(args=["oauth2", "audit", "--json"])

    told = [json.loads(line) for line in outcome.stdout.splitlines()]
    about = [row for row in told if str(row).find("flask-oauth2-doctor-") >= 0]
    assert {"client_registered", "client_removed"} <= {row["event"] for row in about}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_client_is_removed_if_it_ends_early(app, doctor, monkeypatch, interruption):
    there = []

    def stop(client):
        there.extend(find_clients(app))
        raise interruption

    monkeypatch.setattr(live, "MODULES", (*MODULES[:3], Module("stops", stop), *MODULES[3:]))

    outcome = app.test_cli_runner().invoke(args=["oauth2", "doctor", "--live"])

    assert outcome.exit_code == (0 if interruption is SystemExit else 1)
    assert len(there) == 1
    assert find_clients(app) == []
    assert "live-clean-up" in outcome.stdout


def test_client_is_removed_if_its_reader_goes_away(app, site, monkeypatch):
    def tell(row):
        if row.id == "happy-flow":
            raise BrokenPipeError

    with app.app_context():
        deployment = open_deployment(Outside(Outbound(proxies={})))
        examination = Examination(deployment, tell)
        with pytest.raises(BrokenPipeError):
            live.attack(examination)

    assert find_clients(app) == []


def test_client_that_a_killed_process_left_goes_with_the_next_run(app, attack, register, keys, clock):
    jwks = {"keys": [keys("ES256", "client").public_jwk()]}
    name = f"flask-oauth2-doctor-{clock.now - 4000}-{'0' * 16}"
    register(client_id=name, owner="flask oauth2 doctor", jwks=jwks)
    recent = f"flask-oauth2-doctor-{clock.now - 10}-{'0' * 16}"
    register(client_id=recent, owner="flask oauth2 doctor", jwks=jwks)
    foreign = f"flask-oauth2-doctor-{clock.now - 4000}-{'1' * 16}"
    register(client_id=foreign, owner="somebody", jwks=jwks)

    attack()

    assert name not in find_clients(app)
    assert {recent, foreign} <= set(find_clients(app))


def test_client_that_cannot_be_removed_is_named(app, attack, monkeypatch):
    registry = app.extensions["private_key_jwt"].clients
    monkeypatch.setattr(live, "_REST_SECONDS", 0)

    def fail(self, client_id):
        raise StoreUnavailable("database: away", cause="database_unavailable")

    monkeypatch.setattr(type(registry), "remove", fail)

    rows = attack()

    (left,) = find_clients(app)
    assert rows["live-clean-up"]["ok"] is False
    assert rows["live-clean-up"]["change"] == f"flask oauth2 client remove {left}"


def test_database_that_fails_once_is_asked_again(app, attack, monkeypatch):
    registry = app.extensions["private_key_jwt"].clients
    remove, failures = type(registry).remove, [StoreUnavailable("database: away", cause="database_unavailable")]
    monkeypatch.setattr(live, "_REST_SECONDS", 0)

    def fail_once(self, client_id):
        if failures:
            raise failures.pop()
        return remove(self, client_id)

    monkeypatch.setattr(type(registry), "remove", fail_once)

    rows = attack()

    assert rows["live-clean-up"]["ok"]
    assert find_clients(app) == []


# --- broken servers ---------------------------------------------------------------------------------------------------
ATTACKS = {module.id for module in MODULES}


def answering(application, body, *, status="200 OK"):
    """The application, but every POST gets this answer."""

    def answer(environ, start_response):
        if environ["REQUEST_METHOD"] != "POST":
            return application(environ, start_response)
        start_response(status, [("Content-Type", "application/json")])
        return [body]

    return answer


def test_server_that_gives_everybody_a_token_passes_nothing_but_the_happy_flow(app, site, attack):
    site.application = answering(app.wsgi_app, b'{"access_token": "x.y.z", "token_type": "DPoP", "expires_in": 60}')

    rows = attack()

    tokens = {module.id for module in MODULES if not module.id.startswith("par-")}
    accepted = {name for name in tokens if rows[name]["ok"]}
    assert accepted == {"happy-flow"}
    assert "Received: 200 and a token of the type DPoP" in rows["ensure-holder-of-key-required"]["why"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error": "invalid_client"}', "400 Bad Request"),  # it refuses everybody
        (b'{"error": "temporarily_unavailable"}', "503 Service Unavailable"),
        (b'{"error": "slow_down"}', "429 Too Many Requests"),
        (b"<html>\x1b[2J", "200 OK"),
        (b'{"access_token": "x.y.z", "token_type": "Bearer"}', "200 OK"),
        (b'{"access_token": {}, "token_type": [], "error": {"a": 1}}', "200 OK"),
        (b'{"error": "%s\\u001b"}' % (b"x" * 5000), "400 Bad Request"),
        (b"[" * 5000, "200 OK"),
    ],
)
def test_server_that_serves_nobody_is_noticed(app, site, attack, body, status):
    site.application = answering(app.wsgi_app, body, status=status)

    rows = attack()

    assert rows["happy-flow"]["ok"] is False
    assert len(rows["happy-flow"]["why"]) < 300
    assert "\x1b" not in str(rows["happy-flow"])
    assert rows["attempt-reuse-client-assertion"]["ok"] is False  # nobody knows: its first use was refused
    assert find_clients(app) == []


def test_refusal_for_another_reason_is_no_pass(app, site, attack, monkeypatch):
    """Where the server keeps its reasons, a proxy that spoils every request is found out."""

    def spoil(environ, start_response):
        environ.pop("HTTP_DPOP", None)
        return app.wsgi_app(environ, start_response)

    site.application = spoil

    rows = attack()

    assert rows["ensure-client-assertion-with-wrong-aud-fails"]["ok"]
    assert rows["happy-flow"]["ok"] is False
    assert rows["dpop-negative-tests-wrong-htu"]["ok"] is False
    assert "(proof_missing)" in rows["dpop-negative-tests-wrong-htu"]["why"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REFUSALS_KEPT_SECONDS": 0}])
def test_server_that_keeps_no_reasons_is_judged_by_its_answers(attack):
    rows = attack()

    assert not ATTACKS & set(read_all(rows))
    assert rows["ensure-holder-of-key-required"]["why"] == "Expected and received: 400 invalid_request."


@pytest.mark.parametrize("people", [False])
def test_server_without_people_is_asked_for_no_pushed_requests(attack):
    rows = attack()

    assert not ATTACKS & set(read_all(rows))
    assert {rows[name]["ok"] for name in ATTACKS if name.startswith("par-")} == {None}


@pytest.mark.parametrize("settings", [{"OAUTH2_REQUIRE_SIGNED_REQUESTS": True}])
def test_server_of_signed_requests_is_asked_for_no_unsigned_ones(attack):
    rows = attack()

    assert not ATTACKS & set(read_all(rows))
    assert rows["par-happy-flow"]["ok"] is None


def test_server_whose_clock_is_wrong_is_found_out(attack, monkeypatch):
    def now():
        is_server = "process_request" in current_thread().name
        return int(time.time()) + (60 + 10 + 2) * is_server

    monkeypatch.setattr(clock, "now", now)

    rows = attack()

    assert rows["happy-flow"]["ok"] is False  # by the server's clock its assertion has expired
    assert "assertion_expired" in rows["happy-flow"]["why"]
    assert rows["live-clean-up"]["ok"]


def test_server_that_is_away_is_not_attacked(app, site, doctor, plain_page):
    site.application = plain_page

    rows, exit_code = doctor("--live")

    assert exit_code == 1
    assert rows["live-client"]["ok"] is False
    assert "issuer-reachable is not met" in rows["live-client"]["why"]
    assert "happy-flow" not in rows
    assert not [request for request in site.requests if request.startswith("POST")]


# --- names ------------------------------------------------------------------------------------------------------------
def test_modules_of_the_suite_have_its_names():
    ours = {
        "ensure-client-assertion-nbf-over-60-seconds-in-the-future-fails",
        "ensure-client-assertion-with-no-jti-fails",
        "ensure-client-assertion-with-invalid-signature-fails",
        "ensure-client-assertion-signature-algorithm-is-not-none",
        "attempt-reuse-client-assertion",
        "par-happy-flow",
        "par-ensure-registered-redirect-uri",
    }
    of_the_suite = {*PORTED, *LEFT_OUT, *MESSAGE_SIGNING}

    for name in ATTACKS - ours:
        assert name in of_the_suite or name.startswith("dpop-negative-tests-"), name
    assert len(MODULES) == len(ATTACKS)


def test_server_that_stops_to_answer_is_not_asked_for_ever(app, site, attack, monkeypatch):
    monkeypatch.setattr(Outside, "ask", silent_for_tokens(Outside.ask))

    rows = attack()

    assert "did not answer" in rows["happy-flow"]["why"]
    assert "not tried, because the server did not answer" in rows["par-happy-flow"]["why"]
    assert {rows[module.id]["ok"] for module in MODULES if not module.id.endswith("RS256-fails")} == {False}
    assert not [request for request in site.requests if request.startswith("POST")]
    assert find_clients(app) == []


def silent_for_tokens(ask):
    def silent(self, method, url, **further):
        if method == "POST":
            raise NoAnswer(f"{url} did not answer within 5 seconds.")
        return ask(self, method, url, **further)

    return silent
