"""Read a file that an argument names which may also be the text of a key or certificate."""

import os
from pathlib import Path

from ..errors import ConfigurationError
from ..jose.plain_text import show_path


def is_file(path: str) -> bool:
    """Whether there is something at *path*."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def read_file(path: str | os.PathLike[str], what: str) -> bytes:
    """The content of the file at *path*.

    :param what: What it holds, for the message: ``key`` or ``certificate``.
    :raises ConfigurationError: It cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or "no path at all"
    # Outside of the handler: the error's own text holds all that was taken for a path.
    raise ConfigurationError(f"The {what} file {show_path(path)} cannot be read: {cause}.")
