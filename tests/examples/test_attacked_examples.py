"""The APIs of the examples that a page of docs/ explains, attacked by the fixtures of the pytest plugin."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import CHECKOUT
from tests.examples.test_mcp_server import INITIALIZE, JSON_OR_EVENTS

CALLS = {
    "smart/app.py": ("/fhir/Observation", {"scope": "system/Observation.rs"}),
    "spa/app.py": ("/api/me", {"scope": "profile.read", "subject": "alice"}),
}
"""File -> a path of its API, and whose token it takes."""


@pytest.fixture(params=list(CALLS))
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def load(example: str) -> Any:
    """The module of an example."""
    spec = importlib.util.spec_from_file_location("example", CHECKOUT / "examples" / example)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def app(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The app of the example, with a database of its own."""
    monkeypatch.setenv("FLASK_SECRET_KEY", "for tests only, and long enough for them")
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path}/example.sqlite")
    monkeypatch.setenv("FLASK_OAUTH2_REFUSALS_KEPT_SECONDS", "0")
    module = load(example)
    yield module.app
    with module.app.app_context():
        module.db.engine.dispose()


def test_example_withstands_every_attack(example, app, authorization_server, resource_server, attack):
    path, whose = CALLS[example]
    assert authorization_server.app is app
    assert resource_server.get(path, **whose).status_code == 200, resource_server.refusals

    attack.everything()
    attack.without_scope()


def test_example_takes_no_token_after_its_end(example, resource_server, authorization_server, time_machine):
    path, whose = CALLS[example]
    token = authorization_server.token(resource=resource_server.resource, **whose)
    assert resource_server.get(path, token=token).status_code == 200

    time_machine.move(days=1)

    assert resource_server.get(path, token=token).status_code == 401
    assert resource_server.refusals[-1].cause == "token_expired"


class TestMCPServer:
    """The MCP server of the example, in the event loop of the test."""

    @pytest.fixture
    def oauth_protector(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        pytest.importorskip("mcp.server.mcpserver")
        monkeypatch.setenv("OAUTH2_ISSUER", "http://127.0.0.1:5000")
        monkeypatch.setenv("OAUTH2_RESOURCE", "http://127.0.0.1:8000/mcp")
        self.module = load("mcp_server/server.py")
        return self.module.require_oauth

    @pytest.fixture
    def app(self, oauth_protector: Any) -> Any:
        return self.module.app

    def test_it_withstands_every_attack(self, resource_server, attack):
        answer = resource_server.post(
            "/mcp",
            scope="tools",
            headers=JSON_OR_EVENTS,
            json=INITIALIZE,
            base_url="http://127.0.0.1:8000",
        )
        assert answer.status_code == 200, (answer.text, resource_server.refusals)

        assert set(attack.everything()) == {"no_token", "other_issuer", "other_audience", "expired"}
        assert attack.without_scope().response.status_code == 403
