"""Read the file that an argument names, where the argument may also be the key or certificate itself."""

import os
from pathlib import Path

from ..errors import ConfigurationError
from ..jose.plain_text import show_path


def is_file(path: str) -> bool:
    """Whether *path* exists."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def read_file(path: str | os.PathLike[str], what: str) -> bytes:
    """The content of the file at *path*.

    :param what: What it contains, for the message: ``key`` or ``certificate``.
    :raises ConfigurationError: The file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or "no path at all"
    # Raised outside the handler: the OSError's message quotes the whole "path", which may be a key.
    raise ConfigurationError(f"The {what} file {show_path(path)} cannot be read: {cause}.")
