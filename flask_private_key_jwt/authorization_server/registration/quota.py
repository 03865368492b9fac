"""How many clients may register without a token: for each address, and for all of them together."""

import logging

from ... import clock
from ...errors import TooManyRequests
from ...settings.server import ServerSettings
from ..caller_network import network_of, site_of
from ..stores.sql.counters import Counters

log = logging.getLogger("flask_private_key_jwt")

HOUR_SECONDS = 3600
TOTAL_FACTOR = 100
"""All addresses together may register this many times the quota of one address."""
SITE_FACTOR = 10
"""The networks of one IPv6 site together may register this many times the quota of one address; otherwise one site
could use up the common limit."""


class RegistrationQuota:
    """Counts registrations by the hour, for all workers together.

    :param settings: Says how many clients one address may register.
    :param counters: Where they are counted.
    """

    def __init__(self, settings: ServerSettings, counters: Counters) -> None:
        self._most = settings.REGISTRATIONS_PER_HOUR
        self._counters = counters

    def take(self, address: str | None) -> None:
        """Count one more registration from *address*.

        :raises TooManyRequests: Too many have registered in this hour.
        :raises StoreUnavailable: The database did not answer.
        """
        hour, passed = divmod(clock.now(), HOUR_SECONDS)
        network, total = network_of(address), self._most * TOTAL_FACTOR
        left = HOUR_SECONDS - passed
        until = (hour + 1) * HOUR_SECONDS
        if not self._counters.take(f"registrations\x00{hour}\x00{network}", most=self._most, until=until):
            raise TooManyRequests(
                f"{self._most} clients have registered from {network!r} in this hour (OAUTH2_REGISTRATIONS_PER_HOUR); "
                "if that is your proxy, the app needs ProxyFix",
                cause="registrations_address",
                retry_after_seconds=left,
            )
        site = site_of(address)
        if site != network and not self._counters.take(
            f"registrations\x00{hour}\x00{site}", most=self._most * SITE_FACTOR, until=until
        ):
            reason = f"{self._most * SITE_FACTOR} clients have registered from {site!r} in this hour"
            raise TooManyRequests(reason, cause="registrations_site", retry_after_seconds=left)
        if not self._counters.take(f"registrations\x00{hour}", most=total, until=until):
            log.error("%d clients have registered openly in this hour: nobody else may until it is over", total)
            raise TooManyRequests(
                f"{total} clients have registered in this hour", cause="registrations_total", retry_after_seconds=left
            )
