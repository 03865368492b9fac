"""What one app has measured, kept and exposed by prometheus-client (extra ``[metrics]``).

Labels are bounded: names of endpoints, error codes, causes, stores and caches. No label comes from a caller.
"""

import os
import weakref
from bisect import bisect_left
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Timer
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from .. import clock
from ..errors import ConfigurationError, OAuthError
from ..replay.base import CAUSES
from ..signals.metering import Caches

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of prometheus-client that names the folder which the worker processes share."""

MOST_CAUSES = 500
"""Most different causes that are counted by name. Ours are fewer; an application's own refusals may name any."""
COUNT_EVERY_SECONDS = 1
KEY_DAYS = (0, 30, 90, 365)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CLOCK_SECONDS = (-300, -60, -30, -10, -5, -2, -1, 0, 1, 2, 5, 10, 30, 60, 300)
"""Our seconds are whole and a request takes its time, so a right clock is at -1 or 0."""


class HasSigningKeys(Protocol):
    """An authorization server, as far as a scrape is concerned."""

    def key_ages(self) -> Mapping[str, Sequence[int]]:
        """State of a signing key -> the ages of the keys in that state, in seconds."""

    def count_client_keys(self, days: Sequence[int]) -> Mapping[int, int]:
        """Number of days -> how many keys clients have had for at least so long."""


class Stream:
    """The values of one histogram since they were last counted: noting one costs as little as possible.

    Counting a value in the histogram itself takes several microseconds, and a token request has half a dozen values.

    :param histogram: The histogram of these labels.
    :param bounds: The upper bounds of its buckets, ascending, without infinity.
    """

    __slots__ = ("_bounds", "_histogram", "_values", "note")

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        self._histogram: Any = histogram
        self._bounds = bounds
        self._values: deque[float] = deque()
        self.note = self._values.append

    def count(self) -> int:
        """Add the values to the histogram, all of a bucket at once; return how many. One thread at a time."""
        values = self._values
        found = [values.popleft() for _ in range(len(values))]  # others may append meanwhile
        if found:
            buckets, bounds = self._histogram._buckets, self._bounds
            # Histogram.observe() does the same for one value; a test holds the two against each other.
            self._histogram._sum.inc(sum(found))
            for number, count in Tally(bisect_left(bounds, value) for value in found).items():
                buckets[number].inc(count)
        return len(found)


class Metrics:
    """What one app has measured; an :class:`.signals.metering.Observer`.

    What is noted is counted after a second at the latest, and before each scrape of this process.

    :param caches: The caches to count.
    """

    def __init__(self, caches: Sequence[Caches]) -> None:
        self._caches = [(name, kept) for group in caches for name, kept in group.items()]
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "oauth2_requests", "Requests answered", ["endpoint", "outcome", "cause"], registry=registry
        )
        self._request_seconds = Histogram(
            "oauth2_request_seconds",
            "Time to answer a request; at an API, to check it",
            ["endpoint"],
            registry=registry,
            buckets=SECONDS,
        )
        self._replays = Counter("oauth2_replays_refused", "Used jti values shown again", ["what"], registry=registry)
        self._clock = Histogram(
            "oauth2_client_clock_seconds",
            "iat of what clients signed, minus our time",
            ["what"],
            registry=registry,
            buckets=CLOCK_SECONDS,
        )
        self._store_seconds = Histogram(
            "oauth2_store_seconds", "Time that a store took", ["store"], registry=registry, buckets=SECONDS
        )
        self._store_failures = Counter(
            "oauth2_store_failures", "Uses of a store that did not answer", ["store"], registry=registry
        )
        gauge: Callable[..., Any] = Gauge
        self._entries = gauge(
            "oauth2_cache_entries", "Entries of a cache", ["cache"], registry=registry, multiprocess_mode="livesum"
        )
        self._bytes = gauge(
            "oauth2_cache_bytes", "Size of a cache", ["cache"], registry=registry, multiprocess_mode="livesum"
        )
        self._known_words: set[str] = set()
        self._answered: dict[str, Stream] = {}
        self._refused: dict[str, Stream] = {}
        self._stores = {name: Stream(self._store_seconds.labels(name), SECONDS) for name in ("database", "replay")}
        self._clocks = {name: Stream(self._clock.labels(name), CLOCK_SECONDS) for name in ("assertion", "proof")}
        self._older = OlderKeys()
        self._counting = Lock()
        self._is_due = False
        """Whether a timer is running."""
        _after_fork(self)

    # --- what is told ---------------------------------------------------------------------------------------
    def note_request(self, endpoint: str, seconds: float, *, refused: bool) -> None:
        """See :meth:`.signals.metering.Observer.note_request`.

        A refusal is counted by its signal, which has the cause.
        """
        streams = self._refused if refused else self._answered
        stream = streams.get(endpoint)
        if stream is None:
            made = Stream(self._request_seconds.labels(endpoint), SECONDS)
            stream = streams.setdefault(endpoint, made)
        stream.note(seconds)
        if not self._is_due:
            self._is_due = True
            timer = Timer(COUNT_EVERY_SECONDS, self.count)
            timer.daemon = True
            timer.start()

    def note_clock(self, what: str, ahead: float) -> None:
        """See :meth:`.signals.metering.Observer.note_clock`."""
        self._clocks[what].note(ahead)

    def note_store(self, store: str, seconds: float, *, answered: bool) -> None:
        """See :meth:`.signals.metering.Observer.note_store`."""
        self._stores[store].note(seconds)
        if not answered:
            self._store_failures.labels(store).inc()

    def note_database(self, seconds: float, answered: bool) -> None:
        """The same, for the database."""
        self._stores["database"].note(seconds)
        if not answered:
            self._store_failures.labels("database").inc()

    def count(self) -> None:
        """Count what was noted."""
        self._is_due = False  # first: what is noted from here on may need another timer
        with self._counting:
            for endpoint, stream in list(self._answered.items()):
                if answered := stream.count():
                    self._requests.labels(endpoint, "ok", "").inc(answered)
            for stream in (*list(self._refused.values()), *self._stores.values(), *self._clocks.values()):
                stream.count()
            for name, caches in self._caches:
                self._entries.labels(name).set(sum(len(cache) for cache in caches))
                self._bytes.labels(name).set(sum(cache.weight for cache in caches))

    def note_refusal(self, sender: object, *, endpoint: str, error: str, cause: str, **_: Any) -> None:
        """Count a refusal, by the signal ``request_refused``."""
        self._requests.labels(endpoint, self._bound(error), self._bound(cause)).inc()
        for what, replayed in CAUSES.items():
            if cause == replayed:
                self._replays.labels(what).inc()

    def _bound(self, word: str) -> str:
        if word not in self._known_words:
            if len(self._known_words) >= MOST_CAUSES:
                return "other"
            self._known_words.add(word)
        return word

    # --- what is scraped ----------------------------------------------------------------------------------------
    def expose(self, server: HasSigningKeys | None) -> tuple[bytes, str]:
        """Everything, in the text format of Prometheus, and its media type.

        :param server: The authorization server, if the app is one: its keys are looked at now.
        """
        self.count()
        folder, registry = os.environ.get(FOLDER), self._registry
        if folder:
            _forget_dead_processes(Path(folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry)
        if server is not None:
            keys = CollectorRegistry()
            keys.register(_KeyAges(server, self._older))
            text += generate_latest(keys)
        return text, CONTENT_TYPE_LATEST


def _after_fork(metrics: Metrics) -> None:
    """A forked worker has neither its parent's timer nor the thread that may hold the lock."""
    known = weakref.ref(metrics)

    def start_anew() -> None:
        if (mine := known()) is not None:
            mine._counting, mine._is_due = Lock(), False

    os.register_at_fork(after_in_child=start_anew)


class _KeyAges(Collector):
    """The ages of keys: the same in every process, and looked at when they are scraped."""

    def __init__(self, server: HasSigningKeys, older: "OlderKeys") -> None:
        self._server = server
        self._older = older

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ages = GaugeMetricFamily(
            "oauth2_signing_key_age_seconds", "Age of the oldest signing key in this state", labels=["state"]
        )
        count = GaugeMetricFamily("oauth2_signing_keys", "Signing keys in this state", labels=["state"])
        older = GaugeMetricFamily(
            "oauth2_client_keys", "Keys that clients have had for at least so many days", labels=["days"]
        )
        with suppress(OAuthError, ConfigurationError):  # better the rest than nothing; the log of requests says why
            for state, found in self._server.key_ages().items():
                count.add_metric([state], len(found))
                if found:
                    ages.add_metric([state], max(found))
            for days, number in self._older.look(self._server).items():
                older.add_metric([str(days)], number)
        yield from (ages, count, older)


class OlderKeys:
    """How many keys of clients are old; counted once a minute, because that reads all of them."""

    def __init__(self) -> None:
        self._counts: Mapping[int, int] = {}
        self._counted_at = 0

    def look(self, server: HasSigningKeys) -> Mapping[int, int]:
        """The counts of the last minute."""
        now = clock.now()
        if not 0 <= now - self._counted_at < 60:
            self._counts, self._counted_at = server.count_client_keys(KEY_DAYS), now
        return self._counts


def _forget_dead_processes(folder: Path) -> None:
    """Leave the caches of workers that have ended out of the sum; no server tells us when one ends."""
    for file in folder.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        if number.isdecimal() and not _is_alive(int(number)):
            mark_process_dead(int(number), str(folder))  # type: ignore[no-untyped-call]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
