"""Reads what an operator gives to a command; if it cannot be used, the command ends with one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

import click

from ... import clock
from ...errors import ConfigurationError, FetchBusy, InvalidClientMetadata, StoreUnavailable, UnknownClient
from ...jose.certificates import jwk_of, load_certificate
from ...jose.jose import JoseProblem, load_json_object
from ...jose.plain_text import show_path, tidy
from ..keys.server_keys import UnknownKey
from ..readable_text import escape_unprintable

MAX_FILE_BYTES = 1 << 20
MAX_KID_CHARACTERS = 255
DASH_IS_NO_OPTION = {"ignore_unknown_options": True}
"""For commands that take a thumbprint: one in sixty-four starts with a dash."""


class TextFile(click.File):
    """A file argument. An error shows its name only if it is a path: somebody may have given a key instead."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open the file, as bytes: :func:`read_text` decodes them."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            cause = error.message.rpartition(": ")[2]
        raise click.BadParameter(f"{show_path(value)}: {cause}", ctx, param)


TEXT_FILE = TextFile("rb")


def give_up(message: str) -> NoReturn:
    """End with exit code 2 and one sentence."""
    click.echo(f"Error: {escape_unprintable(message)}", err=True)
    sys.exit(2)


@contextmanager
def readable_errors() -> Iterator[None]:
    """End with exit code 2 and one sentence if the registry, the server's keys or a store raises."""
    try:
        yield
    except InvalidClientMetadata as error:
        give_up(f"{error.reason}.")
    except (UnknownClient, UnknownKey, ConfigurationError) as error:
        give_up(str(error))
    except FetchBusy as error:
        give_up(
            f"The client's keys cannot be had now: {error.reason}. Try again in {error.retry_after_seconds} seconds."
        )
    except StoreUnavailable as error:
        give_up(f"The database did not answer: {error.reason}.")


def read_text(file: BinaryIO) -> str:
    """The whole of *file*, UTF-8 or (as PowerShell writes it) UTF-16, or give up."""
    try:
        data = file.read(MAX_FILE_BYTES + 1)
        text = tidy(data).decode()
    except (OSError, UnicodeDecodeError) as error:
        give_up(f"{file.name} cannot be read as text: {error}.")
    if len(data) > MAX_FILE_BYTES:
        give_up(f"{file.name} is larger than {MAX_FILE_BYTES} bytes.")
    return text


def read_object(file: BinaryIO, *, expected: str) -> dict[str, Any]:
    """The JSON object in *file*, or give up.

    :param expected: The sentence that says what the file must hold.
    """
    text = read_text(file)
    try:
        return load_json_object(text, "file")
    except JoseProblem as problem:
        give_up(f"{file.name}: {problem}. {expected}")


def check_kid(kid: str | None, certificate: str | None) -> None:
    """Give up unless ``--kid`` is a valid name for the key of a ``--certificate``; a JWK has its own ``kid``."""
    if kid is None:
        return
    if certificate is None:
        give_up("--kid names the key of a --certificate; a key in a FILE has its own kid.")
    if not (kid.isascii() and kid.isprintable() and 0 < len(kid.strip()) == len(kid) <= MAX_KID_CHARACTERS):
        give_up(f"--kid must be 1 to {MAX_KID_CHARACTERS} printable ASCII characters.")


def read_certificate(path: str, kid: str | None = None) -> dict[str, Any]:
    """The public JWK of the certificate at *path*, or give up; print a note if it is not valid now.

    :param kid: The key's name; default: the certificate's SHA-1 thumbprint in hex.
    """
    try:
        with open(path, "rb") as file:
            certificate = load_certificate(file.read(MAX_FILE_BYTES))
    except OSError as error:
        give_up(f"{show_path(path)} cannot be read: {error.strerror}.")
    except JoseProblem as problem:
        give_up(f"{path}: {problem}. It must be one certificate, as PEM or base64 DER.")
    if not certificate.is_current(clock.now()):
        click.echo(f"Note: {path} is expired or not valid yet; it authenticates nobody now.", err=True)
    return jwk_of(certificate, kid=kid)
