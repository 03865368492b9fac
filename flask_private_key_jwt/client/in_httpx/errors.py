"""The errors of a client (``client/errors.py``) as ``httpx.RequestError`` too, for code that handles a failed call."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from ...fetching.discovery import DiscoveryError
from ..errors import ForeignOrigin, RevocationError, TokenRequestError, UnrepeatableBody


class HTTPXTokenRequestError(TokenRequestError, httpx.RequestError):  # type: ignore[misc]  # request: httpx's
    """:class:`.TokenRequestError` in a program that uses httpx."""


class HTTPXRevocationError(RevocationError, httpx.RequestError):  # type: ignore[misc]  # request: httpx's
    """:class:`.RevocationError` in a program that uses httpx."""


class HTTPXDiscoveryError(DiscoveryError, httpx.RequestError):  # type: ignore[misc]  # request: httpx's
    """:class:`.DiscoveryError` in a program that uses httpx."""


class HTTPXForeignOrigin(ForeignOrigin, httpx.RequestError):  # type: ignore[misc]  # request: httpx's
    """:class:`.ForeignOrigin` in a program that uses httpx."""


class HTTPXUnrepeatableBody(UnrepeatableBody, httpx.RequestError):  # type: ignore[misc]  # request: httpx's
    """:class:`.UnrepeatableBody` in a program that uses httpx."""


_TWINS: dict[type[Exception], type[httpx.RequestError]] = {
    TokenRequestError: HTTPXTokenRequestError,
    RevocationError: HTTPXRevocationError,
    DiscoveryError: HTTPXDiscoveryError,
    ForeignOrigin: HTTPXForeignOrigin,
    UnrepeatableBody: HTTPXUnrepeatableBody,
}


@contextmanager
def errors_of_httpx(request: httpx.Request | None = None) -> Iterator[None]:
    """Raise the errors of the block as errors of httpx too.

    :param request: Their ``request``.
    """
    try:
        yield
    except tuple(_TWINS) as error:
        if isinstance(error, httpx.RequestError):
            raise
        twin = next(twin for kind, twin in _TWINS.items() if isinstance(error, kind))
        translated = twin.__new__(twin)  # their __init__ take different arguments
        translated.args = error.args
        vars(translated).update({name: value for name, value in vars(error).items() if name != "request"})
        translated._request = request
        raise translated from error
