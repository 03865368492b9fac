"""The attacks of the pytest plugin, on an API in each framework."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_private_key_jwt.testing import APIClient, Attack, InProcessServer
from tests.conftest import close, make_app
from tests.resource_server.frameworks import Api, Served

EVERY_FRAMEWORK = True


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("server")
    app, _, db = make_app(f"sqlite:///{folder}/server.sqlite")
    yield app
    close(app, db)


@pytest.fixture
def client(server: Any, make_api: Callable[..., Api]) -> Iterator[APIClient]:
    api: Any = make_api()
    is_other = isinstance(api, Served)
    application = (api.asgi or api._wsgi) if is_other else api
    with APIClient.calling(application, InProcessServer(server), protector=api.sender if is_other else None) as client:
        yield client


@pytest.mark.parametrize("dpop", [True, False])
@pytest.mark.parametrize("path", ["/any", "/read"])
def test_api_withstands_every_attack(client, path, dpop):
    assert client.get(path, scope="read", subject="alice", dpop=dpop).status_code == 200, client.refusals

    refused = Attack(client).everything()

    assert len(refused) == (10 if dpop else 4)
    assert {attempt.response.status_code for attempt in refused.values()} == {401}
    assert [refusal.cause for refusal in client.refusals] == [attempt.cause for attempt in refused.values()]


def test_missing_scope_is_refused(client):
    client.get("/read", scope="read")

    assert Attack(client).without_scope().cause == "scope_insufficient"
    client.get("/any", scope="read")
    with pytest.raises(AssertionError, match="GET /any answered 200 to a token without the scope"):
        Attack(client).without_scope()


def test_view_that_needs_a_bound_token_takes_no_other(client):
    assert client.get("/bound", dpop=False).status_code == 401
    assert client.get("/bound").status_code == 200
    assert Attack(client).as_bearer().cause == "token_bound_as_bearer"
