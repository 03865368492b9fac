"""Imports go one way: import-linter reads the source, fresh interpreters look at what is really loaded."""

import subprocess
import sys

import pytest

import flask_private_key_jwt
from tests.checkout import CHECKOUT

DATABASE = {"sqlalchemy", "flask_sqlalchemy", "alembic", "flask_migrate"}
SERVER_PROTOCOL = ("authorization", "client_auth", "grants", "keys", "tokens")
FLASK = {"flask", "werkzeug", "jinja2"}


def load(*modules):
    """What importing *modules* loads into a fresh interpreter."""
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(finished.stdout.split())


def test_contracts_of_pyproject_are_kept():
    # In a process of its own: import-linter sets up logging, and with that switches the loggers of other tests off.
    program = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT)

    assert finished.returncode == 0, finished.stdout
    assert ", 0 broken." in finished.stdout


def test_client_loads_neither_flask_nor_sqlalchemy():
    loaded = load("flask_private_key_jwt.client", "flask_private_key_jwt.client.auth")

    assert "requests" in loaded
    assert loaded.isdisjoint(FLASK | DATABASE)


def test_api_loads_no_sqlalchemy():
    loaded = load("flask_private_key_jwt.resource_server.protector", "flask_private_key_jwt.replay.loading")

    assert "flask" in loaded
    assert loaded.isdisjoint(DATABASE)
    assert not any(name.startswith("flask_private_key_jwt.authorization_server") for name in loaded)


def test_token_server_does_without_requests():
    loaded = load("flask_private_key_jwt.authorization_server.extension")

    assert "flask_private_key_jwt.authorization_server.server" in loaded
    assert "requests" not in loaded  # 5 MB of each worker's memory
    assert loaded.isdisjoint({"urllib3", "idna"})  # 1.5 MB: loaded when a client's document is fetched
    assert "flask_private_key_jwt.authorization_server.cli" not in loaded  # loaded by the first command


def test_protocol_code_loads_neither_flask_nor_sqlalchemy():
    server = "authorization_server"
    packages = ["jose", "dpop", "tokens", "fetching", *(f"{server}/{name}" for name in SERVER_PROTOCOL)]
    files = [
        f"flask_private_key_jwt.{package.replace('/', '.')}.{file.stem}"
        for package in packages
        for file in (CHECKOUT / "flask_private_key_jwt" / package).glob("*.py")
        if file.stem != "__init__"
    ]
    assert len(files) > 40

    assert load(*files, "flask_private_key_jwt.authorization_server.stores.contracts").isdisjoint(FLASK | DATABASE)


def test_pytest_plugin_loads_neither_flask_nor_the_servers():
    loaded = load("flask_private_key_jwt.testing.plugin")

    assert "pytest" in loaded
    assert loaded.isdisjoint(FLASK | DATABASE | {"requests", "authlib", "joserfc", "cryptography"})
    ours = {name for name in loaded if name.startswith("flask_private_key_jwt.")}
    assert ours == {f"flask_private_key_jwt.{name}" for name in ("_version", "testing", "testing.plugin")}


def test_package_by_itself_loads_nothing_but_its_version():
    loaded = load("flask_private_key_jwt")

    ours = {name for name in loaded if name.startswith("flask_private_key_jwt")}
    assert ours == {"flask_private_key_jwt", "flask_private_key_jwt._version"}


@pytest.mark.parametrize("name", ["PrivateKeyJWT", "ResourceProtector", "current_token", "__version__"])
def test_public_names_are_there(name):
    assert name in flask_private_key_jwt.__all__
    assert getattr(flask_private_key_jwt, name) is not None


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="module 'flask_private_key_jwt' has no attribute 'AuthorizationServer'"):
        _ = flask_private_key_jwt.AuthorizationServer
