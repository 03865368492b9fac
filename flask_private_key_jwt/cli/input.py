"""What an operator hands to a command, and the one sentence that ends it when that cannot be used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

import click

from .. import clock
from ..client_registry import UnknownClient
from ..errors import FetchBusy, InvalidClientMetadata, StoreUnavailable
from ..keys.certificates import jwk_of, load_certificate
from ..keys.jose import JoseProblem, load_json_object

MAX_FILE_BYTES = 1 << 20
# Windows tools open a text with a byte order mark.
TEXT_FILE = click.File("r", encoding="utf-8-sig")
DASH_IS_NO_OPTION = {"ignore_unknown_options": True}
"""For commands that take a thumbprint: one in sixty-four begins with a dash."""


def give_up(message: str) -> NoReturn:
    """End with exit code 2 and one sentence."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(2)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn what the registry and its database raise into that sentence."""
    try:
        yield
    except InvalidClientMetadata as error:
        give_up(f"{error.reason}.")
    except UnknownClient as error:
        give_up(str(error))
    except FetchBusy as error:
        give_up(
            f"The client's keys cannot be had now: {error.reason}. Try again in {error.retry_after_seconds} seconds."
        )
    except StoreUnavailable as error:
        give_up(f"The database did not answer: {error.reason}.")


def read_text(file: TextIO) -> str:
    """The whole of *file*, or give up."""
    try:
        text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        give_up(f"{file.name} cannot be read as text: {error}.")
    if len(text) > MAX_FILE_BYTES:
        give_up(f"{file.name} is larger than {MAX_FILE_BYTES} bytes.")
    return text


def read_object(file: TextIO, *, expected: str) -> dict[str, Any]:
    """The JSON object in *file*, or give up.

    :param expected: The sentence that says what it should have been.
    """
    text = read_text(file)
    try:
        return load_json_object(text, "file")
    except JoseProblem as problem:
        give_up(f"{file.name}: {problem}. {expected}")


def read_certificate(path: str) -> dict[str, Any]:
    """The public JWK of the certificate at *path*, or give up; a note when it is not valid now."""
    try:
        with open(path, "rb") as file:
            certificate = load_certificate(file.read(MAX_FILE_BYTES))
    except OSError as error:
        give_up(f"{path} cannot be read: {error.strerror}.")
    except JoseProblem as problem:
        give_up(f"{path}: {problem}. It must be one certificate, as PEM or base64 DER.")
    if not certificate.is_current(clock.now()):
        click.echo(f"Note: {path} is expired or not valid yet; it authenticates nobody now.", err=True)
    return jwk_of(certificate)
