"""How many pushed requests may wait at a time (RFC 9126 §2.3): a client's own, or a public client's by address."""

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
"""How many times the quota of one client all strangers have together: the last brake."""
ADDRESS_FACTOR = 10
"""How many times that quota strangers at one address may push in one lifetime, those that were used included: pushing
and using up in turn, one of them would hold the last brake for all."""


class PushQuota:
    """Says whether one more request may be pushed. Of several at once, a few too many may come through.

    :param settings: Says how many may wait.
    :param store: Knows how many do.
    :param counters: Counts what strangers push.
    """

    def __init__(self, settings: ServerSettings, store: AuthorizationStore, counters: CounterStore) -> None:
        self._settings = settings
        self._store = store
        self._counters = counters

    def check(self, client: RegisteredClient, address: str | None) -> str:
        """Refuse a request when too many wait to be opened, and say under which name this one counts.

        A public client's may come from anybody, who must not use up what the client's other users need.

        :param address: Where it comes from.
        :raises TooManyRequests: Too many wait, or strangers have pushed too many in all.
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
        """Whatever strangers do, the operator's clients that authenticate go on."""
        window, passed = divmod(clock.now(), lifetime)
        of_address, of_all, until = most * ADDRESS_FACTOR, most * TOTAL_FACTOR, (window + 1) * lifetime
        if not self._counters.take(f"pushed\x00{window}\x00{site}", most=of_address, until=until):
            reason = f"strangers at {site!r} have pushed {of_address} requests in a while"
            raise TooManyRequests(
                reason,
                cause="pushed_requests_address",
                client_id=client.client_id,
                retry_after_seconds=lifetime - passed,
            )
        if not self._counters.take(f"pushed\x00{window}", most=of_all, until=until):
            log.error("strangers have pushed %d requests within %d s: they have to wait", of_all, lifetime)
            reason = f"strangers have pushed {of_all} requests in a while"
            raise TooManyRequests(
                reason, cause="pushed_requests_total", client_id=client.client_id, retry_after_seconds=lifetime - passed
            )
