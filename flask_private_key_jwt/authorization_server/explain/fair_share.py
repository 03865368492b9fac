"""How many refusals are kept, so that a flood of one client, address or cause leaves room for all others."""

from threading import Lock

from ... import clock

HOUR_SECONDS = 3600
EACH = 20
"""Most of one client, address and cause together, in an hour. Who fails in one way fails in the same way again."""
FEW = 3
"""So many of each are kept even where a client or a cause has used up its share: the first ones say it all."""
SHARE = 300
"""Most of one address; and of one client, or one cause, but for the first few of each."""
TOTAL = 3000
"""From so many on, an address gets the first few only; and from twice as many on, nobody gets any."""


class FairShare:
    """Counts what this process keeps in each hour; safe for threads. It holds no more names than it lets in."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hour = 0
        self._counts: dict[tuple[str, ...], int] = {}
        self._left_out = 0

    def take(self, client_id: str | None, address: str, cause: str, *, each: int = EACH) -> bool:
        """Whether one more refusal may be kept.

        :param client_id: Of the client; anybody may have named it.
        :param address: Of the caller, as :func:`.caller_network.network_of` names it.
        :param each: Most of this client, address and cause together.
        """
        client = client_id or ""
        this = (client, address, cause)
        with self._lock:
            self._begin_hour()
            alike = self._counts.get(this, 0)
            # A flood is usually all alike: nothing else is looked at.
            room = alike < each and self._has_room(client, address, cause, is_first=alike < FEW)
            if room:
                for name in (this, ("all",), ("address", address), ("client", client), ("cause", cause)):
                    self._counts[name] = self._counts.get(name, 0) + 1
            else:
                self._left_out += 1
            return room

    def _has_room(self, client: str, address: str, cause: str, *, is_first: bool) -> bool:
        counts = self._counts
        total, of_address = counts.get(("all",), 0), counts.get(("address", address), 0)
        of_client, of_cause = counts.get(("client", client), 0), counts.get(("cause", cause), 0)
        return (
            # Nobody can send from an address that is not theirs; but everybody can name a client.
            of_address < SHARE
            and (is_first or (of_client < SHARE and of_cause < SHARE))
            and (total < TOTAL or (of_address < FEW and total < 2 * TOTAL))
        )

    def take_left_out(self) -> int:
        """How many were left out since the last call."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
            return left_out

    def _begin_hour(self) -> None:
        hour = clock.now() // HOUR_SECONDS
        if hour != self._hour:
            self._hour = hour
            self._counts.clear()
