"""Make what the demo needs and does not have yet: a secret, the database, key pairs, registered clients, a person.

    python -m demo.prepare

It may run again at any time, and prints the commands it runs: each can be typed as well.
"""

import json
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable, UnknownClient

from .clients import ALICE, CLIENTS, DemoClient, DemoPerson
from .folder import FOLDER, read_secret, secret_file
from .token_server import create_app, oauth
from .token_server.users import find_user


class CommandFailed(Exception):
    """A command ended badly; the message is what it printed."""


def main() -> int:
    """Prepare everything; the exit code."""
    try:
        FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
        for server in ("token_server", "resource_server"):
            make_secret(server)
        app = create_app()
        run_flask(app, "db", "upgrade")
        for client in CLIENTS.values():
            make_key(client)
            register(app, client)
        add_person(app, ALICE)
    except (CommandFailed, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 1
    except StoreUnavailable as error:
        print(f"The database did not answer: {error.reason}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The demo cannot write what it needs: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # the next run makes what is missing
        return 130
    return 0


def make_secret(server: str) -> None:
    """Keep a secret for *server* in the demo's folder, for its owner's eyes only."""
    if read_secret(server):
        return
    descriptor = os.open(secret_file(server), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))


def make_key(client: DemoClient) -> None:
    """Make the client's key pair, as its owner would; the server gets the public half only.

    :raises CommandFailed: The key maker could not write it, and has said why.
    """
    if client.key_file.exists() and client.jwks_file.exists():
        return
    folder = client.key_file.parent
    folder.mkdir(exist_ok=True)
    for leftover in folder.glob(f"{client.client_id}.*"):  # half of a pair
        leftover.unlink()
    words = ["keygen", "--alg", client.alg, "--out", near(client.key_prefix)]
    print("$", shlex.join(["private-key-jwt", *words]), flush=True)
    command = [sys.executable, "-m", "flask_private_key_jwt.client", *words]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:  # its advice is for people who type the command
        raise CommandFailed("The key pair could not be made.")


def register(app: Flask, client: DemoClient) -> None:
    """Register the client at the token server, or bring its registration up to date."""
    wanted = client.build_registration()
    with app.app_context():
        try:
            known = oauth.clients.describe(client.client_id)
        except UnknownClient:
            known = None
    if known is not None and is_same(wanted, known):
        return
    client.registration_file.parent.mkdir(exist_ok=True)
    client.registration_file.write_text(json.dumps(wanted, indent=2) + "\n")
    if known is None:
        run_flask(app, "oauth2", "client", "add", near(client.registration_file))
    else:
        run_flask(app, "oauth2", "client", "update", client.client_id, near(client.registration_file))


def is_same(wanted: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether a registration says already what is *wanted*; scopes have no order."""
    if set(wanted["scope"].split()) != set(known["scope"].split()):
        return False
    return all(known.get(name) == value for name, value in wanted.items() if name != "scope")


def add_person(app: Flask, person: DemoPerson) -> None:
    """Let *person* sign in at the token server."""
    with app.app_context():
        is_known = find_user(person.name) is not None
    if not is_known:
        run_flask(app, "demo-user", "add", person.name, "--password", person.password)


def run_flask(app: Flask, *words: str) -> None:
    """Run a ``flask`` command in this process, which is much quicker than in one of its own.

    :raises CommandFailed: Its exit code is not 0.
    """
    print("$", shlex.join(["flask", *words]), flush=True)
    result = app.test_cli_runner().invoke(args=words)
    if result.exit_code:
        raise CommandFailed(result.output or repr(result.exception))


def near(path: Path) -> str:
    """A path as a person in this folder would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main())
