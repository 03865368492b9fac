"""The options that several commands share; each may also come from the environment."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ...errors import ConfigurationError
from ...fetching.exchange import TIMEOUT_SECONDS
from ...settings.values import ASYMMETRIC_ALGS
from ..source_file import is_file, read_file

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PREFIX = "PRIVATE_KEY_JWT"
"""How the names of the environment variables begin."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Which client asks which server, and how it gets there."""

    issuer: str
    client_id: str
    key: str | None = field(repr=False)
    """The path of a key file; ``None`` for a public client."""
    alg: str | None
    kid: str | None
    certificate: str | None
    audience: str | None
    key_password: str | None = field(repr=False)
    timeout: float
    ca_bundle: str | None
    proxy: str | None = field(repr=False)

    def arguments(self) -> dict[str, Any]:
        """What the clients of this package are made with, besides issuer and client_id."""
        return {
            "key": None if self.key is None else Path(self.key),  # a path, never the key itself
            "alg": self.alg,
            "kid": self.kid,
            "certificate": None if self.certificate is None else Path(self.certificate),
            "audience": self.audience,
            "key_password": self.key_password,
            "timeout": self.timeout,
            "ca_bundle": self.ca_bundle,
            "proxies": None if self.proxy is None else {"http": self.proxy, "https": self.proxy},
        }

    def require_key(self) -> None:
        """Check that the client can authenticate.

        :raises ConfigurationError: There is no key.
        """
        if self.key is None:
            raise ConfigurationError("This needs the client's key: give the path of its file with --key.")


def server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a client at a server, as ``server``, a :class:`ServerOptions`."""

    def wrapped(**values: Any) -> Any:
        own = {name: values.pop(name) for name in ServerOptions.__slots__ if name != "key_password"}
        return function(server=ServerOptions(**own, key_password=_find_password(values)), **values)

    wrapped.__doc__ = function.__doc__
    # Click keeps what was decorated already on the function.
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Callable[..., Any] = wrapped
    for option in reversed(_SERVER_OPTIONS):
        decorated = option(decorated)
    return decorated


def _option(name: str, **attributes: Any) -> Decorator:
    variable = f"{PREFIX}_{name.removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, envvar=variable, show_envvar=True, **attributes)


_SERVER_OPTIONS = (
    _option("--issuer", required=True, metavar="URL", help="The server's issuer identifier."),
    _option("--client-id", required=True, metavar="ID", help="The id under which the client is registered."),
    _option("--key", metavar="FILE", help="The client's private key; none: a public client."),
    _option(
        "--alg",
        type=click.Choice(ASYMMETRIC_ALGS),
        metavar="ALG",
        help="What the key signs with; default: as its type says.",
    ),
    _option("--kid", metavar="NAME", help="The key's name at the server; default: its thumbprint."),
    _option("--certificate", metavar="FILE", help="The key's certificate, if the server wants one."),
    _option("--audience", metavar="URL", help="The aud of assertions; default: the issuer."),
    # Never the password itself as an argument: every user of the machine can read the command line.
    click.option("--key-password", "ask_password", is_flag=True, help="Ask for the password of the key."),
    click.option("--key-password-env", metavar="VARIABLE", help="The same, from the environment."),
    _option(
        "--timeout", type=float, metavar="SECONDS", default=TIMEOUT_SECONDS, show_default=True, help="Longest wait."
    ),
    _option("--ca-bundle", metavar="FILE", help="Certificate authorities to trust (PEM)."),
    _option("--proxy", metavar="URL", help="The proxy to use; default: HTTPS_PROXY."),
)


def _find_password(values: dict[str, Any]) -> str | None:
    asks, variable = values.pop("ask_password"), values.pop("key_password_env")
    if asks and variable:
        raise click.UsageError("--key-password and --key-password-env say the same: give one.")
    if asks:
        return str(click.prompt("Password of the key", hide_input=True, err=True))
    if variable is None:
        return None
    if not (password := os.environ.get(variable)):
        raise click.UsageError(f"There is no {variable} in the environment, or it is empty.")
    return password


scope_option = _option("--scope", metavar="SCOPES", help="Scopes to ask for, separated by spaces.")
resource_option: Decorator = click.option(
    "--resource", "resources", multiple=True, metavar="URL", help="The API that the token is for; may be given again."
)
dpop_key_option = _option("--dpop-key", metavar="FILE", help="The key that tokens are bound to.")


def read_token_argument(given: str) -> str:
    """The token that an argument means: ``-`` for standard input, the path of a file, or the token itself.

    :raises ConfigurationError: There is none, or the file cannot be read.
    """
    if given == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    elif is_file(given):
        text = read_file(given, "token").decode("utf-8", "replace")
    else:
        text = given
    text = text.strip().strip("\"'")
    scheme, _, rest = text.partition(" ")
    token = rest.strip() if scheme.lower() in ("bearer", "dpop") else text
    if not token or any(c.isspace() for c in token):
        raise ConfigurationError("That is no token: give it as argument, as a file's path, or on standard input (-).")
    return token


def is_on_command_line(given: str) -> bool:
    """Whether an argument is the token itself."""
    return given != "-" and not is_file(given)
