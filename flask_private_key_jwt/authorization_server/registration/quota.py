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
"""How many times the quota of one address all addresses have together: the last brake."""
SITE_FACTOR = 10
"""How many times that quota the networks of one IPv6 site have together: else one site would hold the last brake."""


class RegistrationQuota:
    """Counts registrations by the hour, for all workers together.

    :param settings: Says how many one address has.
    :param counters: Where they are counted.
    """

    def __init__(self, settings: ServerSettings, counters: Counters) -> None:
        self._most = settings.REGISTRATIONS_PER_HOUR
        self._counters = counters

    def take(self, address: str | None) -> None:
        """Count one more registration from *address*.

        :raises TooManyRequests: There were enough in this hour.
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
