"""Whose turn it is to have a new document fetched, when there is not room for all.

Without an order, what becomes free goes to whoever asks most often. So there is a line, with one place for each site
(:func:`.caller_network.site_of`): a party with many URLs stands there once. Documents that somebody has had before go
before new ones. Whoever asked for a slow document stands
behind all others for some time, and so does whoever asks for documents of its domain: a server that is slow on purpose
is waited for once, not again and again.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from ... import clock
from ...bounded_cache import BoundedCache

ALIVE_SECONDS = 15
"""A site that has not asked for so long has lost its place. Each of several workers sees only some of its requests."""
SLOW_SECONDS = 2
"""A document that takes so long is slow."""
SLOW_FOR_SECONDS = 600
"""How long a site and a domain stay behind the others after that."""
REMEMBERED = 8192
"""Most places in each part of the line, and most sites and domains that are remembered as slow."""


@dataclass(slots=True)
class _Place:
    """One site's place: what it asked for last, and when."""

    host: str
    asked_at: int


class WaitingLine:
    """The line of one process. The caller holds a lock."""

    def __init__(self) -> None:
        # A dictionary keeps the order in which its keys came.
        self._known: dict[str, _Place] = {}
        self._quick: dict[str, _Place] = {}
        self._slow: dict[str, _Place] = {}
        self._slow_until: BoundedCache[str, int] = BoundedCache(max_entries=REMEMBERED, max_bytes=1 << 22)

    def has_turn(
        self,
        site: str,
        host: str,
        *,
        free: int,
        is_known: bool = False,
        served: Container[str] = (),
        busy_hosts: Container[str] = (),
    ) -> bool:
        """Whether fewer than *free* sites stand before *site*, none of them for the same host.

        Whoever is not in the line stands at its end.

        :param host: The host of the document that it asks for.
        :param is_known: Whether somebody has had the document before: it goes before all new ones.
        :param served: Sites that are passed over, because they have something already.
        :param busy_hosts: Who asks for one of these hosts is passed over, because it cannot have its turn now.
        """
        before, own = 0, self._part_of(site, host, is_known=is_known)
        for part in (self._known, self._quick, self._slow):
            for other in _alive(part):
                if other == site:
                    if part is own:
                        return before < free
                    continue
                if other in served or part[other].host in busy_hosts:
                    continue
                before += 1
                # Of one host there is one new document at a time, whatever else is free.
                if before >= free or (part[other].host == host and not is_known):
                    return False
            if part is own:
                break
        return before < free

    def wait(self, site: str, host: str, *, is_known: bool = False) -> None:
        """Note that *site* was turned away: it keeps its place, or gets the last one."""
        part = self._part_of(site, host, is_known=is_known)
        if site in part or len(part) < REMEMBERED or sum(1 for _ in _alive(part)) < REMEMBERED:
            part[site] = _Place(host, clock.now())  # a key that is there keeps its position

    def leave(self, site: str) -> None:
        """Note that *site* had its turn."""
        for part in (self._known, self._quick, self._slow):
            part.pop(site, None)

    def note_slow(self, site: str, host: str) -> None:
        """Note that a document from *host*, which *site* asked for, was slow."""
        until = clock.now() + SLOW_FOR_SECONDS
        self._slow_until.keep(f"site {site}", until)
        self._slow_until.keep(f"domain {_domain_of(host)}", until)

    def _part_of(self, site: str, host: str, *, is_known: bool) -> dict[str, _Place]:
        if self._is_slow(site, host):
            return self._slow
        return self._known if is_known else self._quick

    def _is_slow(self, site: str, host: str) -> bool:
        noted = (self._slow_until.get(f"site {site}"), self._slow_until.get(f"domain {_domain_of(host)}"))
        return any(until is not None and not clock.is_over(until) for until in noted)


def _alive(part: dict[str, _Place]) -> Iterator[str]:
    """The sites that still wait, in their order; the others lose their places on the way."""
    ended = []
    try:
        for site, place in part.items():
            if clock.is_over(place.asked_at + ALIVE_SECONDS):
                ended.append(site)
            else:
                yield site
    finally:
        for site in ended:
            del part[site]


def _domain_of(host: str) -> str:
    """The last two labels of a host name: whoever has the domain can make up any number of names in it."""
    return ".".join(host.rsplit(".", 2)[-2:])
