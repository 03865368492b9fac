"""Health and metrics of a server with two worker processes, as a load balancer and Prometheus see them."""

import http.client
import socket
import tempfile
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.third_party.served_app import create_app
from tests.third_party.test_wsgi_servers import CLIENT_ID, FORM, Served, running

REQUESTS = 12


@pytest.fixture(scope="module", params=["granian", "gunicorn"])
def operated(request, keys):
    key = keys("ES256")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        database, shared = Path(folder) / "as.sqlite", Path(folder) / "metrics"
        shared.mkdir()
        app = create_app(str(database))
        db, oauth = app.extensions["tests"]
        with app.app_context():
            db.create_all()
            oauth.clients.add({"client_id": CLIENT_ID, "jwks": {"keys": [key.public_jwk()]}, "scope": "read"})
            db.engine.dispose()
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))
        with running(request.param, Path(folder), database) as path:
            yield Served(request.param, path, key)


def get(served, path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(served.path)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


def count_requests(served):
    status, text = get(served, "/metrics")
    assert status == 200
    return {
        (sample.labels["outcome"], sample.labels["cause"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "oauth2_requests_total" and sample.labels["endpoint"] == "token"
    }


def test_it_is_live_and_ready(operated):
    assert get(operated, "/health/live")[0] == 200
    status, document = get(operated, "/health/ready")
    assert (status, "false" in document) == (200, False)


def test_any_worker_counts_for_all(operated):
    for _ in range(REQUESTS):
        assert operated.send([FORM], operated.build_form()).status == 200
    form = operated.build_form()
    assert [operated.send([FORM], form).status for _ in range(3)] == [200, 400, 400]

    expected = {("ok", ""): REQUESTS + 1, ("invalid_client", "assertion_replayed"): 2}
    deadline = time.monotonic() + 10
    while (found := count_requests(operated)) != expected and time.monotonic() < deadline:
        time.sleep(0.1)  # a worker counts once a second, by its own clock
    assert [found, *(count_requests(operated) for _ in range(5))] == [expected] * 6
