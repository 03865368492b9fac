"""The URL a proof's ``htu`` is held against (RFC 9449 §4.3, item 9)."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote_from_bytes

from ..errors import ConfigurationError
from ..settings.resource import ResourceSettings
from ..url import find_web_url
from .credentials import Environ


class Target(Protocol):
    """Knows the URL of a request."""

    def build(self, environ: Environ) -> str:
        """The URL of a request, without query and fragment.

        :raises ConfigurationError: The application does not know its own address.
        """


@dataclass(frozen=True, slots=True)
class FixedURI:
    """The URL of an API that is one endpoint: the same whichever of its paths a proxy passes on."""

    url: str

    def build(self, environ: Environ) -> str:
        """See :meth:`Target.build`."""
        return self.url


_LITERAL = "/:@!$&'()*+,;=~"
"""Characters of a path that need no escape (RFC 3986 §3.3), besides letters, digits and ``-._``."""


class TargetURI:
    """Builds request URLs from configuration: ``Host`` and ``X-Forwarded-*`` are the caller's to choose.

    :param settings: The API's settings.
    """

    def __init__(self, settings: ResourceSettings) -> None:
        # The origin of the resource lacks the app's mount path; OAUTH2_EXTERNAL_URL has it.
        self._base_has_mount = settings.EXTERNAL_URL is not None
        self._base = settings.EXTERNAL_URL.rstrip("/") if settings.EXTERNAL_URL else find_origin(settings.RESOURCE)

    def base(self) -> str:
        """What every URL of the API starts with.

        :raises ConfigurationError: ``OAUTH2_RESOURCE`` is no URL and ``OAUTH2_EXTERNAL_URL`` is not set.
        """
        if self._base is None:
            raise ConfigurationError(
                "OAUTH2_RESOURCE is not an http(s) URL, so the API does not know its own address, which DPoP proofs "
                "name. Set OAUTH2_EXTERNAL_URL, e.g. https://api.example."
            )
        return self._base

    def build(self, environ: Environ) -> str:
        """The URL of a request, without query and fragment.

        WSGI hands over the path decoded; it is escaped anew, with the fewest escapes.

        :raises ConfigurationError: As :meth:`base`.
        """
        path: str = environ.get("PATH_INFO", "")
        if not self._base_has_mount:
            path = environ.get("SCRIPT_NAME", "") + path
        # PEP 3333: the environment's texts are bytes in the guise of latin-1.
        return self.base() + quote_from_bytes(path.encode("latin-1", "replace"), safe=_LITERAL)


def find_origin(url: str) -> str | None:
    """Scheme, host and port of an http(s) URL, as they are written; ``None`` when it is none."""
    found = find_web_url(url)
    return f"{found.scheme}://{found.authority}" if found is not None else None
