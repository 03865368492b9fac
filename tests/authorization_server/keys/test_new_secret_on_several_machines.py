"""A new SECRET_KEY while some machines still have the old one: each must know both before one of them uses the new."""

from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest

from tests.conftest import ASSERTION_TYPE, close, make_app
from tests.refusals import causes, noting_refusals

OLD = "the secret that every machine has had until today"
NEW = "the secret that every machine is to have from now on"

Ask = Callable[[flask.Flask], Any]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"SECRET_KEY": OLD, "OAUTH2_REPLAY_STORE": "sql"}


@pytest.fixture
def machine(app: flask.Flask, settings: dict[str, Any]) -> Iterator[Callable[..., flask.Flask]]:
    """Starts the server on another machine: the same database, other secrets."""
    opened = []

    def machine(secret: str, *fallbacks: str) -> flask.Flask:
        secrets = {"SECRET_KEY": secret, "SECRET_KEY_FALLBACKS": list(fallbacks)}
        other, _, db = make_app(app.config["SQLALCHEMY_DATABASE_URI"], **{**settings, **secrets})
        opened.append((other, db))
        return other

    yield machine
    for other, db in opened:
        close(other, db)


@pytest.fixture
def ask(client: Any, build_assertion: Any) -> Ask:
    """A token request to a machine."""

    def ask(at: flask.Flask) -> Any:
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return at.test_client().post("/oauth2/token", data={**form, "client_assertion": build_assertion()})

    return ask


def run(at: flask.Flask, *words: str) -> None:
    done = at.test_cli_runner().invoke(args=["oauth2", *words])
    assert done.exit_code == 0, done.output


def test_a_machine_that_does_not_know_the_new_secret_fails_when_another_makes_a_key_with_it(machine, ask):
    hasty, behind = machine(NEW, OLD), machine(OLD)
    assert (ask(behind).status_code, ask(hasty).status_code) == (200, 200)

    run(hasty, "key", "rotate", "--now")

    assert ask(hasty).status_code == 200
    with noting_refusals(behind) as refusals:
        assert ask(behind).status_code == 503
    assert causes(refusals) == ["setup_wrong"]


def test_a_machine_that_knew_it_before_goes_on(machine, ask):
    first, second = machine(OLD, NEW), machine(OLD, NEW)  # 1: everybody knows it, nobody uses it
    assert (ask(first).status_code, ask(second).status_code) == (200, 200)

    first = machine(NEW, OLD)  # 2: machine by machine
    run(first, "key", "rotate", "--now")
    assert (ask(first).status_code, ask(second).status_code) == (200, 200)

    second = machine(NEW, OLD)
    run(second, "key", "reencrypt")  # 3: when all have it
    assert (ask(first).status_code, ask(second).status_code) == (200, 200)

    first, second = machine(NEW), machine(NEW)  # 4: the old one is gone
    assert (ask(first).status_code, ask(second).status_code) == (200, 200)
