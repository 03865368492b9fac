"""Tests of the worker: its queue is in memory, the API that it calls is a server on this machine."""

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.serving import make_server

from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token
from flask_private_key_jwt.client import generate_key
from flask_private_key_jwt.signals import call_admitted, token_issued

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()


@require_oauth("notes", dpop="required")
def list_notes() -> dict[str, Any]:
    return {"notes": ["buy tea"], "for": current_token["client_id"]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Flask]:
    """An app that is server and API, at a free port."""
    app = Flask("notes")
    listening = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{listening.server_port}"
    app.config.from_mapping(
        SECRET_KEY="for tests only, and long enough for them",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/test.sqlite",
        OAUTH2_ISSUER=url,
        OAUTH2_RESOURCE=url,
        OAUTH2_REFUSALS_KEPT_SECONDS=0,
        OAUTH2_STORE_TIMEOUT_SECONDS=30,
    )
    for part in (db, oauth, require_oauth):
        part.init_app(app)
    app.add_url_rule("/notes", view_func=list_notes)
    with app.app_context():
        db.create_all()
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield app
    listening.shutdown()
    thread.join()
    listening.server_close()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def tasks(server: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The worker's module, registered as a client of that server."""
    key = generate_key()
    with server.app_context():
        registration = {"client_id": "worker", "scope": "notes", "dpop_bound_access_tokens": True}
        oauth.clients.add({**registration, "jwks": {"keys": [key.public_jwk()]}})
    (tmp_path / "worker.pem").write_bytes(key.as_pem())
    monkeypatch.setenv("API", server.config["OAUTH2_ISSUER"])
    monkeypatch.setenv("KEY", str(tmp_path / "worker.pem"))
    monkeypatch.setenv("BROKER", "memory://")
    monkeypatch.setenv("RESULTS", "cache+memory://")
    sys.modules.pop("tasks", None)
    return importlib.import_module("tasks")


def test_twenty_tasks_of_one_process_share_one_token(server: Flask, tasks: Any) -> None:
    issued: list[Any] = []
    proved: list[Any] = []
    with (
        token_issued.connected_to(lambda sender, **told: issued.append(told), sender=server),
        call_admitted.connected_to(lambda sender, **told: proved.append(told), sender=server),
        start_worker(tasks.app, pool="threads", concurrency=4, perform_ping_check=False, shutdown_timeout=120),
    ):
        results = [tasks.count_notes.delay(number) for number in range(20)]
        said = [result.get(timeout=120) for result in results]

    assert said == [f"{number}: 1 for worker" for number in range(20)]
    assert len(issued) == 1
    assert len(proved) == 20
    assert {told["jkt"] for told in proved} == {issued[0]["jkt"]}
