"""A server that runs, and what ``flask oauth2 doctor`` says of it. Time passes here: a real server sends dates."""

import json
import time
from contextlib import contextmanager
from threading import Thread
from unittest import mock

import flask
import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

import tests.conftest
from flask_private_key_jwt import clock
from flask_private_key_jwt.authorization_server.doctor.deployment import Outside, open_deployment
from flask_private_key_jwt.authorization_server.doctor.examination import GROUPS
from flask_private_key_jwt.fetching.outbound import Outbound
from tests.conftest import close, make_app
from tests.openid_suite.conftest import add_people


class RunningClock:
    """The real time, which a test may move."""

    def __init__(self):
        self.ahead = 0

    @property
    def now(self):
        return int(time.time()) + self.ahead

    def move(self, seconds):
        self.ahead += seconds


@pytest.fixture(autouse=True)
def clock_(monkeypatch):
    running = RunningClock()
    monkeypatch.setattr(clock, "now", lambda: running.now)
    return running


class _Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class Site:
    """A port of this machine that a WSGI application answers; it may be set and changed while it is served."""

    def __init__(self, tls=None):
        self.application = None
        self.requests = []
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet, ssl_context=tls)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.port}"

    def _answer(self, environ, start_response):
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.application(environ, start_response)

    @contextmanager
    def running(self):
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        thread.join(30)
        self._server.server_close()


@pytest.fixture
def people():
    """Whether the app has people; a test parametrizes it."""
    return True


@pytest.fixture
def has_tables():
    """Whether the database has tables; a test of one that cannot be reached overrides it."""
    return True


@pytest.fixture
def tls():
    """The TLS context of the site; a test of certificates overrides it."""


@pytest.fixture
def site(tls):
    with Site(tls).running() as running:
        yield running


@pytest.fixture
def database_url(tmp_path):
    return f"sqlite:///{tmp_path}/as.sqlite"


@pytest.fixture
def server(site, database_url, settings, people, has_tables):
    """An app with ordinary settings, and the site that runs it at its issuer."""
    usual = {
        "OAUTH2_ISSUER": site.url,
        "OAUTH2_REPLAY_STORE": "sql",
        "OAUTH2_REFUSALS_KEPT_SECONDS": 3600,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }
    if has_tables:
        app, oauth, db = make_app(database_url, **{**usual, **settings})
    else:
        with mock.patch.object(tests.conftest, "create_tables"):
            app, oauth, db = make_app(database_url, **{**usual, **settings})
    if people:
        add_people(app, oauth)
    site.application = app.wsgi_app
    yield app, oauth, db
    close(app, db)


@pytest.fixture
def outside():
    """The way to the server; a test of certificates overrides it."""
    return Outside(Outbound(proxies={}), timeout=5)


@pytest.fixture
def look(app, outside):
    """What one requirement looks like now: ``look("issuer-https")``; ``outside`` may be another way to the server."""

    def look(identifier, **further):
        with app.app_context():
            fresh = Outside(outside.outbound, timeout=outside.timeout)  # nothing is remembered
            deployment = open_deployment(further.pop("outside", fresh))
            found = {
                requirement.id: requirement
                for list_requirements in GROUPS.values()
                for requirement in list_requirements(deployment)
            }
            return found[identifier].check(deployment)

    return look


@pytest.fixture
def doctor(app):
    """Run the command; its rows by their ids, and its exit code."""

    def doctor(*words):
        outcome = app.test_cli_runner().invoke(args=["oauth2", "doctor", "--json", *words])
        assert outcome.stdout, (outcome.stderr, outcome.exception)
        return {row["id"]: row for row in json.loads(outcome.stdout)}, outcome.exit_code

    return doctor


def read_all(rows):
    """The ids of what is not met."""
    return [row["id"] for row in rows.values() if row["ok"] is False]


@pytest.fixture
def plain_page():
    """A WSGI application that is somebody else's."""
    stranger = flask.Flask("stranger")

    @stranger.route("/", defaults={"path": ""}, methods=["GET", "POST", "OPTIONS", "PUT"])
    @stranger.route("/<path:path>", methods=["GET", "POST", "OPTIONS", "PUT"])
    def page(path):
        return "<html>Welcome to nginx!</html>"

    return stranger.wsgi_app
