"""Clean up text from tools and environment variables, and show paths in messages only if they cannot be secrets."""

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
    """Whether *data* starts with the byte order mark of UTF-16."""
    return data.startswith(_UTF16_MARKS)


def tidy(data: bytes) -> bytes:
    r"""Convert text to UTF-8 without a byte order mark; return other data unchanged.

    PowerShell writes UTF-16, and other Windows tools write a byte order mark. In PEM, the two characters ``\n``, as in
    some environment files, become a line break.
    """
    if is_utf16(data):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:  # it is not UTF-16 after all
            return data
    data = data.removeprefix(codecs.BOM_UTF8)
    return data.replace(b"\\r", b"").replace(b"\\n", b"\n") if _PEM in data else data


def show_path(path: str | os.PathLike[str]) -> str:
    """*path*, quoted, if it looks like a path. Otherwise it may be a key, which must not appear in a log."""
    text = os.fspath(path)
    return repr(text) if _looks_like_path(text) else "(not shown: it may be a secret)"


def _looks_like_path(text: str) -> bool:
    if len(text) > _LONGEST_PATH or not text.isprintable() or any(c in "{}\"'" for c in text):
        return False
    parent = os.path.dirname(text)
    if text in (".", "..") or (parent not in ("", "/") and os.path.isdir(parent)):
        return True
    # Base64 may contain slashes, but no dots, and a key has capital letters. If somebody has converted a key to lower
    # case, it is still longer than _LONGEST_SURE_PATH.
    is_short = len(text) <= _LONGEST_SURE_PATH
    return bool(_EXTENSION.search(text)) or (is_short and "/" in text and bool(_LOWER_CASE_PATH.match(text)))
