"""What a guard reads of a request, whichever framework got it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Environ = Mapping[str, Any]
"""A WSGI environment (PEP 3333)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a protected view. Strings hold bytes, decoded as latin-1, as PEP 3333 has them."""

    method: str
    mount: str
    """The path where the application is mounted, decoded; empty at the root."""
    path: str
    """The rest of the path, decoded."""
    query: str = field(repr=False)
    authorization: str | None = field(repr=False)
    """The ``Authorization`` header; the values of a repeated one are joined by a comma."""
    proof: str | None = field(repr=False)
    """The ``DPoP`` header, likewise."""


def read_environ(environ: Environ) -> Call:
    """Read a WSGI environment. A WSGI server decodes paths, and joins repeated headers, by itself."""
    return Call(
        method=environ.get("REQUEST_METHOD", ""),
        mount=environ.get("SCRIPT_NAME", ""),
        path=environ.get("PATH_INFO", ""),
        query=environ.get("QUERY_STRING", ""),
        authorization=environ.get("HTTP_AUTHORIZATION"),
        proof=environ.get("HTTP_DPOP"),
    )
