"""A replay store of the application's own, the one of docs/replay-stores.md: at the server, at an API, in a command."""

import re
import sys
import types
from pathlib import Path
from typing import Any

import flask
import pytest

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.replay.contract import check_replay_store
from flask_private_key_jwt.resource_server.guard import Guard
from flask_private_key_jwt.settings.profiles import apply_profile
from tests.conftest import API, INVALID_CLIENT, ISSUER, make_app

PAGE = Path(__file__).parents[2] / "docs" / "replay-stores.md"
PATH = "my_app_stores:store"


@pytest.fixture
def store_class(monkeypatch: pytest.MonkeyPatch, clock: Any) -> Any:
    (code, _test) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    module = types.ModuleType("my_app_stores")
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    monkeypatch.setitem(module.__dict__, "time", types.SimpleNamespace(time=lambda: clock.now + 0.5))
    monkeypatch.setitem(sys.modules, "my_app_stores", module)
    return module.FileReplayStore


@pytest.fixture
def store(store_class: Any, tmp_path: Path) -> Any:
    made = store_class(tmp_path / "used.sqlite")
    sys.modules["my_app_stores"].store = made
    return made


@pytest.fixture(params=["path", "object", "function"])
def settings(request: pytest.FixtureRequest, store: Any) -> dict[str, Any]:
    return {"OAUTH2_REPLAY_STORE": {"path": PATH, "object": store, "function": lambda: store}[request.param]}


def test_the_store_of_the_page_keeps_the_contract(store):
    check_replay_store(store)


def test_the_server_remembers_there(app, store, ask_token, build_assertion, refusals):
    assertion = build_assertion()
    assert ask_token(assertion=assertion).status_code == 200

    answer = ask_token(assertion=assertion)
    assert answer.json == INVALID_CLIENT
    assert refusals == ["jti of the client_assertion was used before"]
    assert app.extensions["private_key_jwt"].replay is store


def test_nothing_is_issued_while_it_is_away(store, ask_token, refusals, tmp_path):
    store.path = tmp_path

    assert ask_token().status_code == 503
    assert refusals == ["used.sqlite: unable to open database file"]


def test_purge_asks_it_too(app, store, ask_token, clock):
    ask_token()
    clock.move(2 * 3600)

    answer = app.test_cli_runner().invoke(args=["oauth2", "purge"])
    assert answer.exit_code == 0
    assert store.purge(batch=1, rest=None) == 0


def guard_of(app: flask.Flask) -> Guard:
    guard: Guard = app.extensions["private_key_jwt_resource"]
    return guard


def test_an_api_remembers_there(settings, store):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, **settings)
    require_oauth = ResourceProtector()
    app.get("/")(require_oauth(dpop="required")(lambda: "in"))
    require_oauth.init_app(app)

    assert guard_of(app).find_replay_store() is store


def test_an_api_with_what_is_no_store_does_not_start():
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE=object())

    with pytest.raises(ConfigurationError, match=r"gives a object, which is no replay store: it has no remember\(\)"):
        ResourceProtector().init_app(app)


def test_an_api_beside_its_server_makes_no_second_store(store_class, store, tmp_path):
    made: list[Any] = []

    def make_store() -> Any:
        made.append(store)
        return store

    url = f"sqlite:///{tmp_path}/as.sqlite"
    app, _, _ = make_app(url, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE=make_store)
    ResourceProtector().init_app(app)

    assert made == [store]
    assert guard_of(app).find_replay_store() is store


def test_fapi2_takes_it(store):
    assert apply_profile("fapi2", {"REPLAY_STORE": store}, frozenset())["REPLAY_STORE"] is store
    assert apply_profile("fapi2", {"REPLAY_STORE": PATH}, frozenset())["REPLAY_STORE"] == PATH


def test_a_server_with_what_is_no_store_does_not_start(tmp_path):
    with pytest.raises(ConfigurationError, match=r"which is no replay store: it has no remember\(\)"):
        make_app(f"sqlite:///{tmp_path}/as.sqlite", OAUTH2_REPLAY_STORE=object())


def test_a_store_that_is_away_is_unavailable(store, tmp_path, mark):
    store.path = tmp_path

    with pytest.raises(StoreUnavailable):
        store.remember([mark()])


@pytest.mark.parametrize("returned", [False, True, 0, 1])
def test_a_store_that_returns_what_it_should_raise_lets_nothing_through(
    app, store, ask_token, refusals, monkeypatch, returned
):
    monkeypatch.setattr(store, "remember", lambda marks: returned)

    assert ask_token().status_code == 503
    assert refusals == [
        f"set up wrongly: remember() of the replay store FileReplayStore returned a {type(returned).__name__}: "
        "it has to return None, and to raise Replayed for a mark that is there already."
    ]
