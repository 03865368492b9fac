"""The URL that a proof's ``htu`` must match (RFC 9449 §4.3, item 9)."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote_from_bytes

from ..errors import ConfigurationError
from ..settings.resource import ResourceSettings
from ..web.url import find_web_url
from .call import Call


class Target(Protocol):
    """Knows the URL of a request."""

    def build(self, call: Call) -> str:
        """The URL of a request, without query and fragment.

        :raises ConfigurationError: The application does not know its own URL.
        """


@dataclass(frozen=True, slots=True)
class FixedURI:
    """The URL of an API with one endpoint; it does not depend on the path that a proxy passes on."""

    url: str

    def build(self, call: Call) -> str:
        """See :meth:`Target.build`."""
        return self.url


_LITERAL = "/:@!$&'()*+,;=~"
"""Characters of a path that need no escape (RFC 3986 §3.3), besides letters, digits and ``-._``."""


class TargetURI:
    """Builds request URLs from configuration, because the caller can choose ``Host`` and ``X-Forwarded-*``.

    :param settings: The API's settings.
    """

    def __init__(self, settings: ResourceSettings) -> None:
        # OAUTH2_EXTERNAL_URL includes the app's mount path; the origin of the resource does not.
        self._base_has_mount = settings.EXTERNAL_URL is not None
        self._base = settings.EXTERNAL_URL.rstrip("/") if settings.EXTERNAL_URL else find_origin(settings.RESOURCE)

    def base(self) -> str:
        """The start of every URL of the API.

        :raises ConfigurationError: ``OAUTH2_RESOURCE`` is not a URL, and ``OAUTH2_EXTERNAL_URL`` is not set.
        """
        if self._base is None:
            raise ConfigurationError(
                "OAUTH2_RESOURCE is not an http(s) URL, so the API does not know its own address, which DPoP proofs "
                "name. Set OAUTH2_EXTERNAL_URL, e.g. https://api.example."
            )
        return self._base

    def build(self, call: Call) -> str:
        """The URL of a request, without query and fragment.

        The path of a call is decoded; it is escaped again, with as few escapes as possible.

        :raises ConfigurationError: As :meth:`base`.
        """
        path = call.path if self._base_has_mount else call.mount + call.path
        return self.base() + quote_from_bytes(path.encode("latin-1", "replace"), safe=_LITERAL)


def find_origin(url: str) -> str | None:
    """Scheme, host and port of an http(s) URL, as they are written; ``None`` for any other string."""
    found = find_web_url(url)
    return f"{found.scheme}://{found.authority}" if found is not None else None
