"""What a guard reads of a request, whichever framework got it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

Environ = Mapping[str, Any]
"""A WSGI environment (PEP 3333)."""


@dataclass(slots=True)
class Call:
    """One request to a protected view. Strings hold bytes, decoded as latin-1, as PEP 3333 has them.

    Nobody changes it. Every request makes one, and a frozen dataclass takes three times as long to make. A tuple does
    not, but a log in JSON or a report of an error would show its parts.
    """

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
    origin: str | None = None
    """The ``Origin`` header of a request from a browser's page."""
    requested_method: str | None = None
    """``Access-Control-Request-Method``, in a preflight."""


def read_environ(environ: Environ) -> Call:
    """Read a WSGI environment. A WSGI server decodes paths, and joins repeated headers, by itself."""
    return Call(
        method=environ.get("REQUEST_METHOD", ""),
        mount=environ.get("SCRIPT_NAME", ""),
        path=environ.get("PATH_INFO", ""),
        query=environ.get("QUERY_STRING", ""),
        authorization=environ.get("HTTP_AUTHORIZATION"),
        proof=environ.get("HTTP_DPOP"),
        origin=environ.get("HTTP_ORIGIN"),
        requested_method=environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"),
    )


_READ = frozenset({b"authorization", b"dpop", b"origin", b"access-control-request-method"})


def read_scope(scope: Environ) -> Call:
    """Read an ASGI scope of the type ``http`` or ``websocket``, whose handshake is a GET (RFC 6455 §4.1)."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            text = value.decode("latin-1")
            found[name] = f"{found[name]},{text}" if name in found else text
    mount, path = _split_path(scope)
    return Call(
        method=scope.get("method", "GET"),
        mount=mount,
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        authorization=found.get(b"authorization"),
        proof=found.get(b"dpop"),
        origin=found.get(b"origin"),
        requested_method=found.get(b"access-control-request-method"),
    )


def _split_path(scope: Environ) -> tuple[str, str]:
    """Where the application is mounted, and the rest of the path.

    By ASGI's present rule ``path`` begins with ``root_path``; some servers and proxies leave it out.
    """
    mount = _as_bytes(scope.get("app_root_path", scope.get("root_path", ""))).rstrip("/")
    path = _find_path(scope)
    if mount and (path == mount or path.startswith(f"{mount}/")):
        path = path[len(mount) :]
    return mount, path


def _find_path(scope: Environ) -> str:
    text: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    if raw is not None and b"%" in raw:
        # ``path`` is decoded as UTF-8, which loses other bytes. Something may have changed it and not ``raw_path``.
        exact = unquote_to_bytes(raw.partition(b"?")[0])
        if exact.decode("utf-8", "replace") == text:
            return exact.decode("latin-1")
    return _as_bytes(text)


def _as_bytes(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")
