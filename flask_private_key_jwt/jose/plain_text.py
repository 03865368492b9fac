"""Text as tools and environment variables hand it over, and paths that can be shown."""

import codecs
import os
import re

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PEM = b"-----BEGIN"
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}\Z")
_LOWER_CASE_PATH = re.compile(r"[a-z0-9_.~/-]+\Z")
_LONGEST_PATH = 4096
_LONGEST_SURE_PATH = 100
"""The shortest private key in base64 is longer."""


def is_utf16(data: bytes) -> bool:
    """Whether *data* opens with the byte order mark of UTF-16."""
    return data.startswith(_UTF16_MARKS)


def tidy(data: bytes) -> bytes:
    r"""The content of a text file as UTF-8 without a byte order mark; anything else as it is.

    PowerShell writes UTF-16, other Windows tools open a file with a byte order mark. In PEM, ``\n`` that is written
    out, as some environment files have it, becomes the line break it stands for.
    """
    if is_utf16(data):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:  # it only looked so
            return data
    data = data.removeprefix(codecs.BOM_UTF8)
    return data.replace(b"\\r", b"").replace(b"\\n", b"\n") if _PEM in data else data


def show_path(path: str | os.PathLike[str]) -> str:
    """*path*, quoted, when it looks like a path: what was meant as the text of a key must not end in a log."""
    text = os.fspath(path)
    return repr(text) if _looks_like_path(text) else "(not shown: it may be a secret)"


def _looks_like_path(text: str) -> bool:
    if len(text) > _LONGEST_PATH or not text.isprintable() or any(c in "{}\"'" for c in text):
        return False
    parent = os.path.dirname(text)
    if text in (".", "..") or (parent not in ("", "/") and os.path.isdir(parent)):
        return True
    # Base64 may hold slashes, but no dots. A key has capital letters, and is long once somebody has lowered them.
    is_short = len(text) <= _LONGEST_SURE_PATH
    return bool(_EXTENSION.search(text)) or (is_short and "/" in text and bool(_LOWER_CASE_PATH.match(text)))
