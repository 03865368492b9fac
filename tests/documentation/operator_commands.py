"""The lines of shell that a page shows without a comment: an operator's commands, run on a server with what they name.

What is understood: ``flask oauth2 …``, ``python -m flask_private_key_jwt.client keygen …``, ``export NAME=…`` of a
setting, and ``pip install`` of this package with extras that it has. Anything else needs a comment that says how it is
tested.
"""

import configparser
import dataclasses
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from flask_private_key_jwt.client import generate_key
from flask_private_key_jwt.client.__main__ import main as client_main
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from tests.checkout import CHECKOUT

KNOWN_SETTINGS = {
    f"OAUTH2_{field.name}" for kind in (ServerSettings, ResourceSettings) for field in dataclasses.fields(kind)
}
PACKAGE = "flask-private-key-jwt"
CLIENTS = ("console", "billing", "shop", "reports", "ledger")
SETTINGS = {
    "OAUTH2_CLIENT_SECRETS_UNTIL": "2027-03-31",
    "OAUTH2_REGISTRATION": "token",
    "OAUTH2_AUDIT": "sql",
    "OAUTH2_RESOURCES": ["https://api.example", "https://orders.example"],
    "OAUTH2_SECRETS": ["a secret for tests only, long enough for it"],
}


class NotUnderstood(AssertionError):
    """A line that needs a comment."""


def lines_of(text: str) -> Iterator[str]:
    """The commands of a block: no comments, a line that goes on is one line."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield from re.split(r" && ", shlex.join(words).replace("'&&'", "&&"))


def check_installs(words: list[str]) -> None:
    """Whether what ``pip install`` names of this package is there."""
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    for word in words:
        name, _, extras = word.partition("[")
        if name == PACKAGE:
            for extra in extras.rstrip("]").split(",") if extras else []:
                assert extra in setup["options.extras_require"], f"there is no extra [{extra}]"


class Operator:
    """Somebody who types the commands of a page, in their order, at one server."""

    def __init__(self, invoke: Callable[[list[str]], str], folder: Path) -> None:
        self._invoke = invoke
        self._folder = folder
        self._names: dict[str, str] = {}

    def prepare(self) -> None:
        """Make what pages suppose: clients with two keys, one with a secret, a registration token, a certificate."""
        for client_id in CLIENTS:
            keys = [generate_key("ES256"), generate_key("ES256")]
            file = self._folder / f"{client_id}.json"
            jwks = {"keys": [key.public_jwk() for key in keys]}
            file.write_text(json.dumps({"jwks": jwks, "scope": "invoices.read read"}))
            self._invoke(["client", "add", str(file), "--client-id", client_id])
            self._names[f"first key of {client_id}"] = keys[0].public.thumbprint
        self._invoke(["registration-token", "create"])
        self._names |= {
            "x39IPKeGJ1x9VIXYjoiYBTXvS6HjDMw2xTMdOsUG-wU": self._names["first key of console"],
            "KID": json.loads(self._invoke(["key", "list", "--json"]))[0]["kid"],
            "4f1d6a0c9b2e": json.loads(self._invoke(["registration-token", "list", "--json"]))[0]["id"],
            "ID": "console",
            "42:9f2c…": self._invoke(["audit", "--head"]).strip(),
        }
        for words in (["--out", "orders-api"], ["--out", "certified", "--certificate"]):
            assert client_main(["keygen", *words]) == 0
        (self._folder / "certified.cert.pem").rename(self._folder / "client-2027.cert.pem")

    def type(self, line: str) -> None:
        """Run one command; it must succeed."""
        words = shlex.split(line)
        match words:
            case ["flask", "--app", _, "oauth2", *rest] | ["flask", "oauth2", *rest]:
                self._operate([self._names.get(word, word) for word in rest])
            case ["python", "-m", "flask_private_key_jwt.client", *rest]:
                self._make_keys(rest)
            case ["pip", "install", *rest]:
                check_installs(rest)
            case ["export", *pairs]:
                for pair in pairs:
                    self._export(*pair.split("=", 1))
            case _:
                raise NotUnderstood(f"{line!r} is run by nobody: say in a comment how the block is tested")

    def _operate(self, words: list[str]) -> None:
        if words[:2] == ["client", "add"] and "--client-id" in words:
            client_id = words[words.index("--client-id") + 1]
            if client_id in json.loads(self._invoke(["client", "list", "--json"])).__repr__():
                self._invoke(["client", "remove", client_id, "--yes"])
        self._invoke(words)

    def _make_keys(self, words: list[str]) -> None:
        """What was made for the page before is not overwritten by ``keygen``, so it goes away first."""
        prefix = words[words.index("--out") + 1]
        for ending in ("pem", "jwks.json", "registration.json"):
            (self._folder / f"{prefix}.{ending}").unlink(missing_ok=True)
        assert client_main(words) == 0

    def _export(self, name: str, value: str) -> None:
        if inner := re.fullmatch(r"\$\((.*)\)", value):
            self.type(inner[1])
        assert "OAUTH2_" not in name or name.removeprefix("FLASK_") in KNOWN_SETTINGS, f"there is no setting {name}"
