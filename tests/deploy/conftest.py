"""The app of ``deploy/app`` as an operator sets it up: its image, its secrets, its database, a client."""

import importlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from flask_private_key_jwt.jose import jose
from tests.checkout import CHECKOUT
from tests.deploy.image import APP, Image, build_image
from tests.faults.served import ISSUER, Caller, run_in_fork
from tests.servers.throwaway import server_url

DEPLOY = CHECKOUT / "deploy"


@pytest.fixture(autouse=True)
def clock_() -> None:
    """The wall clock goes on: what runs here in other processes knows no other."""


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((APP / "compose.yaml").read_text())
    return loaded


@dataclass(frozen=True)
class Deployment:
    """A token server that was set up: everything but running."""

    image: Image
    environment: Mapping[str, str]
    """Of its containers."""
    database: str
    """URL of its PostgreSQL database."""
    caller: Caller


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with server_url("postgres") as url:
        yield url


@pytest.fixture(scope="session")
def deployment(compose: dict[str, Any], postgres_server: str) -> Iterator[Deployment]:
    """The image, and what Compose gives to its containers; the commands of the pages have made tables and a client."""
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    name = f"pkjwt_deploy_{secrets.token_hex(4)}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    database = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "image"
        root.mkdir()
        image = build_image(root, make_context(Path(folder) / "app", database))
        environment = {**give_secrets(compose["services"]["app"], image, database), "FLASK_OAUTH2_ISSUER": ISSUER}
        done = image.run(compose["services"]["migrate"]["command"], environment)
        assert done.returncode == 0, done.stderr
        yield Deployment(image, environment, database, register(image, environment))
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def make_context(folder: Path, database: str) -> Path:
    """An app's folder: ours, with the migrations that the README's commands make, and a secret that must stay there."""
    copytree(APP, folder)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "SECRET_KEY").write_text("never in the image")
    environment = {
        "FLASK_OAUTH2_ISSUER": ISSUER,
        "FLASK_SECRET_KEY": secrets.token_urlsafe(48),
        "FLASK_SQLALCHEMY_DATABASE_URI": database,
    }
    run_in_fork(make_migrations, folder, environment)
    return folder


def make_migrations(folder: Path, environment: Mapping[str, str]) -> None:
    """``flask db init`` and ``flask db migrate``, in a process that has loaded everything before it was forked."""
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    runner = importlib.import_module("myapp").create_app().test_cli_runner()
    for command in ("init", "migrate"):
        done = runner.invoke(args=["db", command])
        assert done.exit_code == 0, done.output


def give_secrets(service: Mapping[str, Any], image: Image, database: str) -> dict[str, str]:
    """The files that Compose puts into ``/run/secrets``, and what tells the app of them."""
    values = {"SECRET_KEY": secrets.token_urlsafe(48), "SQLALCHEMY_DATABASE_URI": database}
    folder = image.path("/run/secrets")
    folder.mkdir(parents=True)
    for name in service["secrets"]:
        (folder / name).write_text(f"{values[name]}\n")  # as "openssl rand" and "echo" leave them
    assert image.environment["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def register(image: Image, environment: Mapping[str, str]) -> Caller:
    """Register the usual client with the operator's command."""
    caller = Caller(jose.generate_private_key("ES256"))
    registration = {"jwks": {"keys": [caller.key.public_jwk()]}, "scope": "read", "default_scope": "read"}
    given = json.dumps({"client_id": caller.client_id, **registration})
    done = image.run(["flask", "oauth2", "client", "add", "-"], environment, given=given)
    assert done.returncode == 0, done.stderr
    return caller
