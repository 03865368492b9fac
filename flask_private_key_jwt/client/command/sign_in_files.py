"""Where the commands keep the tokens of a person, and the key that they are bound to."""

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

from ...errors import ConfigurationError
from ...jose import jose
from ..code_flow.client import AuthorizationCodeClient
from ..code_flow.token_store import FileTokenStore, replace_file
from ..key import load_key
from .options import ServerOptions

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")

tokens_option = click.option(
    "--tokens",
    "tokens_file",
    metavar="FILE",
    envvar="PRIVATE_KEY_JWT_TOKENS",
    show_envvar=True,
    help="Where the person's tokens are kept; default: a file of this client and server in the user's settings.",
)


@dataclass(frozen=True, slots=True)
class SignInFiles:
    """The two files of one client at one server."""

    tokens: Path
    dpop_key: Path

    @property
    def store(self) -> FileTokenStore:
        """The tokens."""
        return FileTokenStore(self.tokens)

    def load_or_make_key(self) -> jose.PrivateKey:
        """The key that the tokens are bound to; made at the first sign-in.

        :raises ConfigurationError: The file cannot be read or written, or holds no key.
        """
        if not self.dpop_key.exists():
            try:
                self.dpop_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace_file(self.dpop_key, jose.generate_private_key("ES256").as_pem())
            except OSError as error:
                raise ConfigurationError(f"{self.dpop_key} cannot be written: {error.strerror}.") from None
        return load_key(self.dpop_key)


def choose_files(server: ServerOptions, tokens_file: str | None, dpop_key: str | None) -> SignInFiles:
    """The files that the options name, or the usual ones."""
    # For the eye, and for no two clients to share a file.
    name = _UNSAFE.sub("_", f"{server.client_id}@{server.issuer.partition('://')[2]}")[:100]
    name += "-" + sha256(f"{server.issuer}\x00{server.client_id}".encode()).hexdigest()[:8]
    tokens = Path(tokens_file or os.path.join(click.get_app_dir("private-key-jwt"), f"{name}.json"))
    return SignInFiles(tokens, Path(dpop_key) if dpop_key else tokens.with_name(f"{tokens.name}.dpop.pem"))


def build_client(
    server: ServerOptions, files: SignInFiles, *, allow_missing_iss: bool = False
) -> AuthorizationCodeClient:
    """The client that acts for the person."""
    return AuthorizationCodeClient(
        server.issuer,
        server.client_id,
        **server.arguments(),
        dpop_key=files.load_or_make_key(),
        allow_missing_iss=allow_missing_iss,
    )
