"""How many pushed requests may wait at the same time (RFC 9126 §2.3), by client, or by address for public clients."""

import logging

from ... import clock
from ...errors import TooManyRequests
from ...settings.server import ServerSettings
from ..caller_network import network_of, site_of
from ..registered_client import RegisteredClient
from ..stores.contracts import CounterStore
from ..stores.granted import AuthorizationStore

log = logging.getLogger("flask_private_key_jwt")

TOTAL_FACTOR = 100
"""Public clients and those that registered themselves may together push this many times one client's quota."""
ADDRESS_FACTOR = 10
"""At one address such clients may push this many times one client's quota in one lifetime; used requests count too.
Otherwise one caller could use up the common limit by pushing requests and using them."""
WHO = "clients that registered themselves or are public"


class PushQuota:
    """Says whether one more request may be pushed. If several come at once, a few too many may be accepted.

    :param settings: Says how many may wait.
    :param store: Knows how many wait.
    :param counters: Counts what clients push that registered themselves or are public.
    """

    def __init__(self, settings: ServerSettings, store: AuthorizationStore, counters: CounterStore) -> None:
        self._settings = settings
        self._store = store
        self._counters = counters

    def check(self, client: RegisteredClient, address: str | None) -> str:
        """Refuse a request if too many wait to be opened; return the name under which this one is counted.

        Anybody can push a request for a public client, and must not use up what the client's other users need. So these
        are counted by address.

        :param address: The caller's address.
        :raises TooManyRequests: Too many requests wait, or one of the common limits is reached.
        :raises StoreUnavailable: The database did not answer.
        """
        most, lifetime = self._settings.PUSHED_REQUESTS_PER_CLIENT, self._settings.PUSHED_REQUEST_LIFETIME_SECONDS
        kind, who = ("address", network_of(address)) if client.is_public else ("client", client.client_id)
        pushed_by = f"{kind}\x00{who}"
        if self._store.count_open(pushed_by, most=most) >= most:
            reason = f"{most} pushed requests of {kind} {who!r} are open (OAUTH2_PUSHED_REQUESTS_PER_CLIENT)"
            raise TooManyRequests(
                reason, cause="pushed_requests_open", client_id=client.client_id, retry_after_seconds=lifetime
            )
        if client.is_public or not client.is_vouched_for(self._settings):
            self._count(client, site_of(address), most=most, lifetime=lifetime)
        return pushed_by

    def _count(self, client: RegisteredClient, site: str, *, most: int, lifetime: int) -> None:
        """Count against the common limits, which never stop the operator's clients that authenticate."""
        window, passed = divmod(clock.now(), lifetime)
        of_address, of_all, until = most * ADDRESS_FACTOR, most * TOTAL_FACTOR, (window + 1) * lifetime
        if not self._counters.take(f"pushed\x00{window}\x00{site}", most=of_address, until=until):
            reason = f"{WHO} at {site!r} have pushed {of_address} requests in a while"
            raise TooManyRequests(
                reason,
                cause="pushed_requests_address",
                client_id=client.client_id,
                retry_after_seconds=lifetime - passed,
            )
        if not self._counters.take(f"pushed\x00{window}", most=of_all, until=until):
            log.error("%s have pushed %d requests within %d s: they have to wait", WHO, of_all, lifetime)
            reason = f"{WHO} have pushed {of_all} requests in a while"
            raise TooManyRequests(
                reason, cause="pushed_requests_total", client_id=client.client_id, retry_after_seconds=lifetime - passed
            )
