"""The fixtures of the pytest plugin. Loading it loads neither Flask nor the servers: a fixture does, when it is used.

A fixture of the same name in a suite's ``conftest.py`` or test module replaces one of these, as always in pytest.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .api_client import APIClient
    from .attack import Attack
    from .in_process_server import InProcessServer
    from .time_machine import TimeMachine


# --- what a suite may replace -----------------------------------------------------------------------------------
@pytest.fixture
def oauth_settings() -> dict[str, Any]:
    """Settings of the authorization server that the plugin makes, as in ``app.config``. Default: none."""
    return {}


@pytest.fixture
def oauth_protector() -> Any:
    """The protector of an API that is no Flask app. Default: none."""
    return None


@pytest.fixture
def oauth_api(request: pytest.FixtureRequest, oauth_protector: Any) -> Any:
    """The API under test. Default: what the suite's fixture ``app`` returns; ``None`` if that is no API."""
    from .handover import is_api

    app = _find_app(request)
    return app if is_api(app) or oauth_protector is not None else None


@pytest.fixture
def oauth_app(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    oauth_settings: dict[str, Any],
) -> Iterator[Any]:
    """The Flask app of the authorization server, with its tables. Default: what the suite's fixture ``app`` returns, if
    it is one; else one that is made, whose issuer and API are those of the API under test.
    """
    from .handover import find_api_settings, is_server
    from .made_apps import making_server

    app = _find_app(request)
    if is_server(app):
        yield app
        return
    protector = _find(request, "oauth_protector")
    given = find_api_settings(protector if protector is not None else app)
    file = tmp_path_factory.mktemp("oauth") / "authorization_server.sqlite"
    with making_server(file, {**given, **oauth_settings}) as made:
        yield made


# --- what tests use ---------------------------------------------------------------------------------------------
@pytest.fixture
def time_machine() -> "Iterator[TimeMachine]":
    """The time of this package, which stands still until ``time_machine.move(minutes=11)``."""
    from .time_machine import TimeMachine

    machine = TimeMachine()
    with machine.running():
        yield machine


@pytest.fixture
def authorization_server(oauth_app: Any) -> "Iterator[InProcessServer]":
    """An authorization server in this process: ``authorization_server.token(subject="alice", scope="read")``."""
    from .in_process_server import InProcessServer

    with InProcessServer.watching(oauth_app) as server:
        yield server


@pytest.fixture
def resource_server(
    authorization_server: "InProcessServer", oauth_api: Any, oauth_protector: Any
) -> "Iterator[APIClient]":
    """The API under test, called with tokens and proofs: ``resource_server.get("/invoices", scope="read")``."""
    from .api_client import APIClient
    from .made_apps import make_api

    app = make_api(authorization_server) if oauth_api is None else oauth_api
    with ExitStack() as stack:
        yield stack.enter_context(APIClient.calling(app, authorization_server, protector=oauth_protector))


@pytest.fixture
def attack(resource_server: "APIClient") -> "Attack":
    """Attacks on what ``resource_server`` called last: ``attack.replay()`` fails the test unless it is refused."""
    from .attack import Attack

    return Attack(resource_server)


def _find_app(request: pytest.FixtureRequest) -> Any:
    return _find(request, "app")


def _find(request: pytest.FixtureRequest, name: str) -> Any:
    """What a fixture of the suite returns; ``None`` if there is none, or if it is being made right now."""
    try:
        return request.getfixturevalue(name)
    except pytest.FixtureLookupError as error:
        if error.argname != name:  # one that it needs
            raise
        return None
