"""``OAUTH2_REPLAY_REDIS_REPLICAS`` reaches the store of every kind of server; health knows such a store."""

import flask
import pytest

from flask_private_key_jwt import ResourceProtector, health_blueprint
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.resource_server import ASGIProtector, WSGIProtector
from tests.conftest import API, ISSUER, close, make_app

NOT_IN_REDIS = "OAUTH2_REPLAY_REDIS_REPLICAS is for an OAUTH2_REPLAY_STORE in Redis. Set it to 0."
TOO_FEW = "not ready: replay_store: redis: it has fewer replicas than OAUTH2_REPLAY_REDIS_REPLICAS wants"


def start_server(database, **config):
    app, _, db = make_app(database, **config)
    close(app, db)


def start_api(database, **config):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, **config)
    ResourceProtector().init_app(app)


def start_wsgi(database, **config):
    WSGIProtector({"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API, **config})


def start_asgi(database, **config):
    ASGIProtector({"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API, **config})


@pytest.mark.parametrize("start", [start_server, start_api, start_wsgi, start_asgi])
def test_replicas_are_for_stores_in_redis_only(start, sqlite_url):
    with pytest.raises(ConfigurationError) as refused:
        start(sqlite_url, OAUTH2_REPLAY_STORE="memory", OAUTH2_REPLAY_REDIS_REPLICAS=1)
    assert str(refused.value) == NOT_IN_REDIS

    start(sqlite_url, OAUTH2_REPLAY_STORE="redis+cluster://127.0.0.1:1", OAUTH2_REPLAY_REDIS_REPLICAS=1)
    start(sqlite_url, OAUTH2_REPLAY_STORE="memory", OAUTH2_REPLAY_REDIS_REPLICAS=0)


@pytest.mark.parametrize(("replicas", "status"), [(1, 200), (2, 503)])
@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_a_server_is_ready_where_its_store_has_the_replicas(kind, replicas, status, sqlite_url, request, caplog):
    url = request.getfixturevalue(f"{kind}_url")
    app, _, db = make_app(sqlite_url, OAUTH2_REPLAY_STORE=url, OAUTH2_REPLAY_REDIS_REPLICAS=replicas)
    app.register_blueprint(health_blueprint())

    answer = app.test_client().get("/health/ready")

    assert answer.status_code == status
    assert answer.json["checks"]["replay_store"] is (status == 200)
    assert (TOO_FEW in caplog.text) is (status == 503)
    close(app, db)
