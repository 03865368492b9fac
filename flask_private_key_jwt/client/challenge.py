"""Read the error of a ``WWW-Authenticate`` header (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9449 §7.1)."""

import re

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # a grammar, not a secret
_PIECE = re.compile(rf'({_TOKEN})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')


def find_challenge_error(header: str | None, scheme: str) -> str | None:
    """The ``error`` of the challenge for *scheme*, or ``None``.

    A header may contain several challenges: a piece without ``=`` starts the next one.
    """
    current = ""
    for piece in _PIECE.finditer(header or ""):
        name, quoted, plain = piece.groups()
        if quoted is None and plain is None:
            current = name.lower()
        elif current == scheme.lower() and name.lower() == "error":
            return str(plain if quoted is None else quoted)
    return None
