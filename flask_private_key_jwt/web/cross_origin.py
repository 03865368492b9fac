"""Which answers a browser lets a page of another origin read (CORS, Fetch §3.3). No framework.

Never with credentials: ``Access-Control-Allow-Credentials`` is never sent, so a browser adds no cookie to what it lets
the page read. A page shows a token that it holds, as every other client does.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

log = logging.getLogger("flask_private_key_jwt")

EVERY_ORIGIN = "*"
SENT_HEADERS = ("Authorization", "DPoP", "Content-Type", "MCP-Protocol-Version")
"""What a page may send. A constant list: what a preflight asks for is never repeated."""
READ_HEADERS = ("DPoP-Nonce", "WWW-Authenticate", "Error-Reference")
"""What a page may read of an answer, besides the headers that every page may (Fetch §2.2.2)."""
PREFLIGHT_SECONDS = 600
"""How long a browser need not ask again, in seconds."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """The origins whose pages may read answers.

    :param origins: Exact origins, or only :data:`EVERY_ORIGIN`; empty: none.
    """

    origins: frozenset[str]

    def build_headers(self, origin: str | None) -> Headers:
        """The headers of an answer, a refusal too; without ``Access-Control-Allow-Origin`` if *origin* is not listed.

        :param origin: The ``Origin`` header of the request, ``None`` if there is none.
        """
        return self._allow(origin, ("Access-Control-Expose-Headers", ", ".join(READ_HEADERS)))

    def build_preflight_headers(self, origin: str | None, methods: Iterable[str]) -> Headers:
        """The headers of the answer to a preflight (Fetch §3.3.5).

        :param methods: What is served there, whatever the preflight asks for; the browser compares.
        """
        return self._allow(
            origin,
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", ", ".join(SENT_HEADERS)),
            ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
        )

    def is_listed(self, origin: str | None) -> bool:
        """Whether pages of *origin* may read answers: the strings are the same, so no lookalike is listed."""
        return EVERY_ORIGIN in self.origins or origin in self.origins

    def _allow(self, origin: str | None, *headers: tuple[str, str]) -> Headers:
        if EVERY_ORIGIN in self.origins:  # the same answer for everybody
            return (("Access-Control-Allow-Origin", EVERY_ORIGIN), *headers)
        if not self.origins:
            return ()
        # Without Vary, a cache would give one origin the answer that was made for another, or for none.
        vary = ("Vary", "Origin")
        if origin is None or origin not in self.origins:
            return (vary,)
        return (("Access-Control-Allow-Origin", origin), vary, *headers)


FOR_EVERYBODY = CrossOrigin(frozenset({EVERY_ORIGIN}))
"""For public documents."""
FOR_NOBODY = CrossOrigin(frozenset())


def open_to(origins: Iterable[str], *, what: str) -> CrossOrigin:
    """The origins of ``OAUTH2_CORS_ORIGINS``; the log warns if they are all.

    :param what: What their pages may call, for the log.
    """
    cross_origin = CrossOrigin(frozenset(origins))
    if EVERY_ORIGIN in cross_origin.origins:
        log.warning("OAUTH2_CORS_ORIGINS is *: every page of the web may call %s from its visitors' browsers", what)
    return cross_origin


def find_preflight(method: str, *, origin: str | None, requested_method: str | None) -> str | None:
    """The method that a preflight asks for; ``None`` if the request is no preflight (Fetch §3.3.2).

    :param requested_method: ``Access-Control-Request-Method``.
    """
    return requested_method if method == "OPTIONS" and origin is not None and requested_method else None
